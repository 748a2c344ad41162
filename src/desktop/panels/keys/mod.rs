//! Being furnished.
use crate::{client::Event, desktop::model::{Model, Outbound}};
#[derive(Default)]
pub struct KeysPanel;
impl KeysPanel {
    pub fn ui(&mut self, _ui: &mut eframe::egui::Ui, _model: &mut Model, _out: &mut Outbound) {}
    pub fn new_key_for(&mut self, _filter: &str) {}
    pub fn import_key(&mut self) {}
    pub fn select(&mut self, _id: &str) {}
    pub fn on_event(&mut self, _event: &Event, _model: &Model) {}
}


use eframe::egui::Ui;
use crate::{client::Event, topic::TopicName, desktop::model::{Model, Outbound}};
macro_rules! p { ($n:ident) => { #[derive(Default)] pub struct $n; impl $n {
 pub fn ui(&mut self, ui:&mut Ui, _m:&mut Model, _o:&mut Outbound){ ui.label(stringify!($n)); }
 pub fn on_event(&mut self,_e:&Event,_m:&Model){} } } }
p!(WatchPanel); p!(PublishPanel); p!(KeysPanel);
impl WatchPanel { pub fn show_topic(&mut self,_t:&TopicName,_m:&Model){} }
impl PublishPanel { pub fn set_topic(&mut self,_t:&str){} }
impl KeysPanel { pub fn new_key_for(&mut self,_t:&str){} pub fn select(&mut self,_t:&str){} }

//! QR codes, painted as one mesh: dark modules on a light field with its quiet zone, in both themes, because that is
//! what phone cameras read.

use eframe::egui::{
    Color32, CornerRadius, Mesh, Rect, Response, Role, Sense, Shape, Ui, WidgetInfo, pos2, vec2,
};
use qrcode::{Color, EcLevel, QrCode};
use zeroize::Zeroize;

/// Modules of light around the code (ISO/IEC 18004 asks for four).
const QUIET_ZONE: usize = 4;

/// A QR code, worked out once. It may hold a secret: it is wiped when dropped and does not print.
pub struct QrPicture {
    modules: Vec<bool>,
    width: usize,
}

impl QrPicture {
    /// The code of a text; `None` when the text is longer than a QR code can hold (about 2,300 bytes).
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let code = QrCode::with_error_correction_level(text.as_bytes(), EcLevel::M).ok()?;
        let width = code.width();
        let modules = code.into_colors().into_iter().map(|colour| colour == Color::Dark).collect();
        Some(Self { modules, width })
    }

    /// Paints it in a square of about `side` points (whole pixels per module). `name` is its alternative text.
    pub fn show(&self, ui: &mut Ui, side: f32, name: &str) -> Response {
        let total = (self.width + 2 * QUIET_ZONE) as f32;
        let pixel = 1.0 / ui.ctx().pixels_per_point();
        let module = ((side / total) / pixel).floor().max(1.0) * pixel;
        let (rect, response) = ui.allocate_exact_size(vec2(module * total, module * total), Sense::hover());
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, name));
        if ui.is_rect_visible(rect) {
            ui.painter().rect_filled(rect, CornerRadius::same(6), Color32::WHITE);
            let origin = rect.min + vec2(module, module) * QUIET_ZONE as f32;
            let mut mesh = Mesh::default();
            for (row, modules) in self.modules.chunks(self.width).enumerate() {
                let top = origin.y + row as f32 * module;
                let mut column = 0;
                while column < modules.len() {
                    let run = modules[column..].iter().take_while(|dark| **dark).count();
                    if run > 0 {
                        let corner = pos2(origin.x + column as f32 * module, top);
                        let size = vec2(run as f32 * module, module);
                        mesh.add_colored_rect(Rect::from_min_size(corner, size), Color32::BLACK);
                    }
                    column += run.max(1);
                }
            }
            ui.painter().add(Shape::mesh(mesh));
        }
        response
    }
}

impl std::fmt::Debug for QrPicture {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("QrPicture").field("width", &self.width).finish_non_exhaustive()
    }
}

impl Drop for QrPicture {
    fn drop(&mut self) {
        self.modules.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_square_and_a_text_too_long_is_none() {
        let code = QrPicture::new("otpauth://totp/Sealwire:ada?secret=JBSWY3DPEHPK3PXP").unwrap();
        assert_eq!(code.modules.len(), code.width * code.width);
        assert!(QrPicture::new(&"x".repeat(3_000)).is_none());
        assert!(!format!("{code:?}").contains("modules"));
    }
}

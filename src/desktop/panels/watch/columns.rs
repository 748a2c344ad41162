//! The columns of the table of messages: those that there is room for, and how wide each is.

use egui_extras::Column;

/// Width of the column that says who signed.
const SENDER: f32 = 110.0;
/// From this width on there is room for it; the size makes way first.
const SENDER_FROM: f32 = 700.0;

/// Which columns there is room for.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    pub(super) qos: bool,
    pub(super) size: bool,
    pub(super) sender: bool,
    pub(super) millis: bool,
    topic: f32,
    seal: f32,
}

impl Columns {
    /// For a table of this width.
    pub(super) fn for_width(width: f32) -> Self {
        Self {
            qos: width >= 560.0,
            size: width >= 840.0 || (660.0..SENDER_FROM).contains(&width),
            sender: width >= SENDER_FROM,
            millis: width >= 480.0,
            topic: (width * if width >= SENDER_FROM { 0.24 } else { 0.26 }).clamp(110.0, 320.0),
            seal: if width >= SENDER_FROM { 124.0 } else { 116.0 },
        }
    }

    /// Tells this choice of columns from another: each remembers its own widths.
    pub(super) const fn name(self) -> (bool, bool, bool, bool) {
        (self.qos, self.size, self.sender, self.millis)
    }

    /// For the table.
    pub(super) fn list(self) -> Vec<Column> {
        let mut list = vec![
            Column::exact(if self.millis { 112.0 } else { 88.0 }),
            Column::initial(self.topic).at_least(80.0).clip(true).resizable(true),
        ];
        if self.qos {
            list.push(Column::exact(44.0));
        }
        list.push(Column::exact(self.seal).clip(true));
        if self.sender {
            list.push(Column::exact(SENDER).clip(true));
        }
        if self.size {
            list.push(Column::exact(64.0));
        }
        list.push(Column::remainder().at_least(80.0).clip(true));
        list
    }

    /// Their heads.
    pub(super) fn names(self) -> Vec<&'static str> {
        let mut names = vec!["Time", "Topic"];
        if self.qos {
            names.push("QoS");
        }
        names.push("Seal");
        if self.sender {
            names.push("Sender");
        }
        if self.size {
            names.push("Size");
        }
        names.push("Payload");
        names
    }
}

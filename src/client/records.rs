//! Audit logs to read and verify, and credentials for plain MQTT programs.

use std::sync::Arc;

use hyper::Method;

use crate::api;

use super::{
    Asked, AuditLog, DeviceView, Event, Failure, Password,
    desk::{Desk, NO_BODY},
    failure::not_logged_in,
};

fn view(device: &api::Device) -> DeviceView {
    DeviceView { id: device.id, label: device.label.clone(), created_ms: device.created_ms }
}

impl Desk {
    pub(super) async fn read_audit(&self, log: AuditLog, limit: u32) {
        let what = "The audit log could not be read.";
        let Some(session) = &self.session else {
            self.teller.fail(Asked::Audit, not_logged_in(what));
            return;
        };
        match session.auditor.read(log, limit).await {
            Ok((lines, total)) => self.teller.tell(Event::AuditLines { log, lines, total }),
            Err(error) => self.teller.fail(Asked::Audit, Failure::new(what, error.to_string(), "")),
        }
    }

    pub(super) async fn verify_audit(&self, log: AuditLog) {
        let what = "The audit log could not be verified.";
        let Some(session) = &self.session else {
            self.teller.fail(Asked::Audit, not_logged_in(what));
            return;
        };
        let anchors = match self.call_in_session::<api::Anchors>(Method::GET, "audit/anchors", NO_BODY).await
        {
            Ok(anchors) => anchors,
            Err(error) => {
                self.teller.fail(Asked::Audit, error.failure(what));
                return;
            }
        };
        match session.auditor.verify(log, anchors).await {
            Ok(verdict) => self.teller.tell(Event::AuditVerified { log, verdict }),
            Err(error) => self.teller.fail(Asked::Audit, Failure::new(what, error.to_string(), "")),
        }
    }

    pub(super) async fn list_devices(&self) {
        match self.call_in_session::<Vec<api::Device>>(Method::GET, "devices", NO_BODY).await {
            Ok(devices) => self.teller.tell(Event::Devices(devices.iter().map(view).collect())),
            Err(error) => self.teller.fail(Asked::Devices, error.failure("The credentials are not known.")),
        }
    }

    pub(super) async fn new_device(&self, label: String) {
        let what = "The credential was not made.";
        let (Some(session), Some(station)) = (&self.session, &self.station) else {
            self.teller.fail(Asked::Devices, not_logged_in(what));
            return;
        };
        let request = api::NewDevice { label };
        match self.call_in_session::<api::DeviceCredential>(Method::POST, "devices", Some(&request)).await {
            Ok(made) => {
                self.teller.tell(Event::DeviceMade {
                    device: view(&made.device),
                    username: made.username,
                    password: Password::new(made.password.reveal()),
                    mqtt: format!("mqtts://{}", session.broker),
                    ca_pem: Some(Arc::from(station.identity.pem())),
                });
                self.list_devices().await;
            }
            Err(error) => self.teller.fail(Asked::Devices, error.failure(what)),
        }
    }

    pub(super) async fn revoke_device(&self, id: i64) {
        let path = format!("devices/{id}");
        match self.call_in_session::<()>(Method::DELETE, &path, NO_BODY).await {
            Ok(()) => self.list_devices().await,
            Err(error) => self.teller.fail(Asked::Devices, error.failure("The credential is still good.")),
        }
    }
}

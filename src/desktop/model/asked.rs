//! Which command is which [`Asked`], and which event answers it.

use crate::client::{Asked, Command, Event};

/// Where a failure of this command is shown; `None` for those that cannot fail.
#[must_use]
pub fn asked_by(command: &Command) -> Option<Asked> {
    Some(match command {
        Command::OpenStation { .. } | Command::TrustStation { .. } => Asked::OpenStation,
        Command::SignUp { .. } => Asked::SignUp,
        Command::BeginOtp | Command::ConfirmOtp { .. } => Asked::Otp,
        Command::LogIn { .. } => Asked::LogIn,
        Command::ResetByRecovery { .. } | Command::ResetByCode { .. } => Asked::Reset,
        Command::ChangePassword { .. } => Asked::ChangePassword,
        Command::NewRecoveryCodes { .. } => Asked::RecoveryCodes,
        Command::LogOut => Asked::LogOut,
        Command::Subscribe(_) | Command::SubscribeAt { .. } | Command::Unsubscribe(_) => Asked::Subscribe,
        Command::LoadHistory { .. } | Command::ClearHistory => Asked::History,
        Command::Publish { .. }
        | Command::StopRepeat { .. }
        | Command::Discard { .. }
        | Command::ReleaseHeld { .. } => Asked::Publish,
        Command::SetWill { .. } | Command::ForgetWill => Asked::Will,
        Command::SetClear { .. } => Asked::Clear,
        Command::StartSample | Command::StopSample => Asked::Sample,
        Command::CreateKey { .. } | Command::CreateFromPassphrase { .. } => Asked::CreateKey,
        Command::SuggestPassphrase => Asked::Passphrase,
        Command::RotateKey { .. } => Asked::RotateKey,
        Command::RetireKey { .. } => Asked::RetireKey,
        Command::EditKey { .. } => Asked::EditKey,
        Command::AskConsequences { .. } => Asked::KeyConsequences,
        Command::ExportKeys { .. } => Asked::ExportKeys,
        Command::ImportKeys { .. } => Asked::ImportKeys,
        Command::ImportKey { .. } | Command::ImportFernet { .. } | Command::AddLegacy { .. } => {
            Asked::ImportKey
        }
        Command::ExportKey { .. } => Asked::ExportKey,
        Command::DeleteKey { .. } => Asked::DeleteKey,
        Command::SetCompared { .. } | Command::AcceptSender { .. } | Command::ForgetSender { .. } => {
            Asked::People
        }
        Command::ReadAudit { .. } | Command::VerifyAudit { .. } => Asked::Audit,
        Command::ListDevices | Command::NewDevice { .. } | Command::RevokeDevice { .. } => Asked::Devices,
        Command::SetBroker(_) => Asked::Broker,
        Command::TestBroker(_) => Asked::TestBroker,
        Command::WatchBroker(true) => Asked::Figures,
        Command::ListSessions { .. } => Asked::Sessions,
        Command::EndSession { .. } => Asked::EndSession,
        Command::ListAccounts => Asked::Accounts,
        Command::SetRole { .. } | Command::RemoveAccount { .. } => Asked::ChangeAccount,
        Command::WatchBroker(false) | Command::RetryNow | Command::SetPreference { .. } => return None,
    })
}

/// What an event is the answer to.
pub(super) fn answered_by(event: &Event) -> &'static [Asked] {
    match event {
        Event::Station(_) | Event::StationUnknown { .. } | Event::StationChanged { .. } => {
            &[Asked::OpenStation]
        }
        Event::SignedUp { .. } => &[Asked::SignUp],
        Event::Enrolment(_) => &[Asked::Otp, Asked::LogIn],
        Event::OtpOn => &[Asked::Otp],
        Event::LoggedIn(_) => &[Asked::LogIn, Asked::SignUp],
        Event::LoggedOut { .. } => &[Asked::LogOut],
        Event::PasswordReset { .. } => &[Asked::Reset],
        Event::PasswordChanged => &[Asked::ChangePassword],
        Event::RecoveryCodes(_) => &[Asked::RecoveryCodes],
        Event::Outbox(_) | Event::Repeating(_) => &[Asked::Publish],
        Event::Messages(_) => &[Asked::History],
        Event::Subscriptions(_) => &[Asked::Subscribe],
        Event::ClearTopics(_) => &[Asked::Clear],
        Event::Will(_) => &[Asked::Will],
        Event::Keys(_) => &[Asked::CreateKey, Asked::DeleteKey, Asked::RotateKey, Asked::RetireKey],
        Event::People(_) => &[Asked::People],
        Event::KeyEdited { .. } => &[Asked::EditKey],
        Event::KeyConsequences { .. } => &[Asked::KeyConsequences],
        Event::KeysExported { .. } => &[Asked::ExportKeys],
        Event::KeysImported { .. } => &[Asked::ImportKeys],
        Event::Passphrase(_) => &[Asked::Passphrase],
        Event::KeyImported { .. } => &[Asked::ImportKey],
        Event::KeyExported { .. } => &[Asked::ExportKey],
        Event::AuditLines { .. } | Event::AuditVerified { .. } => &[Asked::Audit],
        Event::Devices(_) | Event::DeviceMade { .. } => &[Asked::Devices],
        Event::Sample(_) => &[Asked::Sample],
        Event::Broker(_) => &[Asked::Broker, Asked::TestBroker],
        Event::BrokerTested { .. } => &[Asked::TestBroker],
        Event::Figures(_) => &[Asked::Figures],
        Event::Sessions { .. } => &[Asked::Sessions],
        Event::SessionEnded { .. } => &[Asked::EndSession],
        Event::Accounts { .. } => &[Asked::Accounts],
        Event::AccountChanged { .. } => &[Asked::ChangeAccount],
        Event::Preferences(_)
        | Event::Failed(..)
        | Event::Account(_)
        | Event::Link(_)
        | Event::Resealed { .. }
        | Event::LeftOut { .. } => &[],
    }
}

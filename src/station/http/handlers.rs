//! One function per path: takes what it needs, asks the desk, answers.

use std::sync::Arc;

use axum::{
    Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::StatusCode,
};

use crate::{
    api::{
        Account, AccountEntry, Anchors, ChangePassword, ConfirmOtp, Device, DeviceCredential, EndSession,
        Enrolment, Identity, LogIn, NewDevice, OtpConfirmed, Problem, ProblemCode, PutIdentity,
        PutRecoveryCodes, PutVault, RecoverFinish, RecoverOpen, RecoverOpened, ResetByCode, RoleEntry, Salt,
        SaltRequest, SessionGrant, SessionList, SessionQuery, SetRole, SignUp, SignedUp, StationInfo, Vault,
        VaultVersion,
    },
    station::accounts::{Accounts, Admin, Caller, LoggedIn},
};

use super::extract::Body;

type Desk = State<Arc<Accounts>>;
type Answer<T> = Result<Json<T>, Problem>;
/// An answer without content.
type Done = Result<StatusCode, Problem>;

const DONE: StatusCode = StatusCode::NO_CONTENT;

pub(super) async fn station(State(desk): Desk) -> Answer<StationInfo> {
    desk.info().await.map(Json)
}

pub(super) async fn salt(State(desk): Desk, Body(request): Body<SaltRequest>) -> Json<Salt> {
    Json(desk.salt(&request))
}

pub(super) async fn sign_up(
    State(desk): Desk,
    from: Caller,
    Body(request): Body<SignUp>,
) -> Answer<SignedUp> {
    desk.sign_up(request, from).await.map(Json)
}

pub(super) async fn begin_otp(State(desk): Desk, who: LoggedIn) -> Answer<Enrolment> {
    desk.begin_otp(&who).await.map(Json)
}

pub(super) async fn confirm_otp(
    State(desk): Desk,
    from: Caller,
    Body(request): Body<ConfirmOtp>,
) -> Answer<OtpConfirmed> {
    desk.confirm_otp(request, from).await.map(Json)
}

pub(super) async fn log_in(
    State(desk): Desk,
    from: Caller,
    Body(request): Body<LogIn>,
) -> Answer<SessionGrant> {
    desk.log_in(request, from).await.map(Json)
}

pub(super) async fn own_account(State(desk): Desk, who: LoggedIn) -> Answer<Account> {
    desk.own_account(&who).await.map(Json)
}

pub(super) async fn log_out(State(desk): Desk, who: LoggedIn, from: Caller) -> Done {
    desk.log_out(&who, from).await.map(|()| DONE)
}

pub(super) async fn change_password(
    State(desk): Desk,
    who: LoggedIn,
    from: Caller,
    Body(request): Body<ChangePassword>,
) -> Done {
    desk.change_password(&who, request, from).await.map(|()| DONE)
}

pub(super) async fn recover_open(
    State(desk): Desk,
    from: Caller,
    Body(request): Body<RecoverOpen>,
) -> Answer<RecoverOpened> {
    desk.recover_open(request, from).await.map(Json)
}

pub(super) async fn recover_finish(
    State(desk): Desk,
    from: Caller,
    Body(request): Body<RecoverFinish>,
) -> Done {
    desk.recover_finish(request, from).await.map(|()| DONE)
}

pub(super) async fn reset_by_code(State(desk): Desk, from: Caller, Body(request): Body<ResetByCode>) -> Done {
    desk.reset_by_code(request, from).await.map(|()| DONE)
}

pub(super) async fn vault(State(desk): Desk, who: LoggedIn) -> Answer<Vault> {
    desk.vault(&who).await.map(Json)
}

pub(super) async fn put_vault(
    State(desk): Desk,
    who: LoggedIn,
    Body(request): Body<PutVault>,
) -> Answer<VaultVersion> {
    desk.put_vault(&who, request).await.map(Json)
}

pub(super) async fn put_recovery_codes(
    State(desk): Desk,
    who: LoggedIn,
    from: Caller,
    Body(request): Body<PutRecoveryCodes>,
) -> Done {
    desk.put_recovery_codes(&who, request, from).await.map(|()| DONE)
}

pub(super) async fn anchors(State(desk): Desk, who: LoggedIn) -> Answer<Anchors> {
    desk.anchors(&who).await.map(Json)
}

pub(super) async fn put_anchors(State(desk): Desk, who: LoggedIn, Body(request): Body<Anchors>) -> Done {
    desk.put_anchors(&who, request).await.map(|()| DONE)
}

pub(super) async fn put_identity(
    State(desk): Desk,
    who: LoggedIn,
    from: Caller,
    Body(request): Body<PutIdentity>,
) -> Done {
    desk.put_identity(&who, request, from).await.map(|()| DONE)
}

pub(super) async fn identity(
    State(desk): Desk,
    _: LoggedIn,
    key: Result<Path<String>, PathRejection>,
) -> Answer<Identity> {
    let Path(key) = key.map_err(|_| not_found("an identity key is 64 hexadecimal digits"))?;
    desk.identity(&key).await.map(Json)
}

pub(super) async fn devices(State(desk): Desk, who: LoggedIn) -> Answer<Vec<Device>> {
    desk.devices(&who).await.map(Json)
}

pub(super) async fn add_device(
    State(desk): Desk,
    who: LoggedIn,
    from: Caller,
    Body(request): Body<NewDevice>,
) -> Answer<DeviceCredential> {
    desk.add_device(&who, request, from).await.map(Json)
}

pub(super) async fn remove_device(
    State(desk): Desk,
    who: LoggedIn,
    from: Caller,
    id: Result<Path<i64>, PathRejection>,
) -> Done {
    let Path(id) = id.map_err(|_| not_found("a device is named by its number"))?;
    desk.remove_device(&who, id, from).await.map(|()| DONE)
}

pub(super) async fn list_accounts(State(desk): Desk, admin: Admin) -> Answer<Vec<AccountEntry>> {
    desk.list(&admin).await.map(Json)
}

pub(super) async fn set_role(
    State(desk): Desk,
    admin: Admin,
    from: Caller,
    username: Result<Path<String>, PathRejection>,
    Body(request): Body<SetRole>,
) -> Done {
    let Path(username) = username.map_err(|_| not_found("there is no such account"))?;
    let username = username.parse().map_err(|_| not_found("there is no such account"))?;
    desk.set_role(&admin, &username, request, from).await.map(|()| DONE)
}

pub(super) async fn list_roles(State(desk): Desk, admin: Admin) -> Json<Vec<RoleEntry>> {
    Json(desk.all_roles(&admin))
}

pub(super) async fn remove_account(
    State(desk): Desk,
    admin: Admin,
    from: Caller,
    username: Result<Path<String>, PathRejection>,
) -> Done {
    let Path(username) = username.map_err(|_| not_found("there is no such account"))?;
    let username = username.parse().map_err(|_| not_found("there is no such account"))?;
    desk.remove_account(&admin, &username, from).await.map(|()| DONE)
}

pub(super) async fn list_sessions(
    State(desk): Desk,
    admin: Admin,
    query: Result<Query<SessionQuery>, QueryRejection>,
) -> Answer<SessionList> {
    let Query(query) = query.map_err(|error| malformed_query(&error))?;
    Ok(Json(desk.sessions(&admin, query)))
}

pub(super) async fn end_session(
    State(desk): Desk,
    admin: Admin,
    from: Caller,
    id: Result<Path<u64>, PathRejection>,
    query: Result<Query<EndSession>, QueryRejection>,
) -> Done {
    let Path(id) = id.map_err(|_| not_found("a session is named by its number"))?;
    let Query(how) = query.map_err(|error| malformed_query(&error))?;
    desk.end_mqtt_session(&admin, id, how, from).map(|()| DONE)
}

fn malformed_query(error: &QueryRejection) -> Problem {
    Problem::new(ProblemCode::Malformed, error.body_text())
}

fn not_found(message: &str) -> Problem {
    Problem::new(ProblemCode::NotFound, message)
}

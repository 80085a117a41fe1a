//! The routes: one file a resource, and here the one place that says which group each belongs to.

pub(crate) mod actions;
pub(crate) mod alerts;
pub(crate) mod assets;
pub(crate) mod attributes;
pub(crate) mod audit;
pub(crate) mod backups;
pub(crate) mod commands;
pub(crate) mod definitions;
pub(crate) mod history;
pub(crate) mod influx;
pub(crate) mod jobs;
pub(crate) mod kpis;
pub(crate) mod lives;
pub(crate) mod login;
pub(crate) mod models;
pub(crate) mod notifications;
pub(crate) mod ops;
pub(crate) mod predictions;
pub(crate) mod readings;
pub(crate) mod rules;
pub(crate) mod silences;
pub(crate) mod sources;
pub(crate) mod sql;
pub(crate) mod stream;
pub(crate) mod tokens;
pub(crate) mod ui;
pub(crate) mod users;

use axum::routing::get;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::{Access, Allows, Heeds, group};
use crate::context::ApiState;
use crate::problem::{Problem, sets};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Forewarn",
        description = "Watches machines: readings in, alerts and predictions out. \
                   Errors are problem details (RFC 9457). \
                   Times are RFC 3339 in UTC; in requests also milliseconds since 1970.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(Problem))
)]
struct Document;

/// What the description holds before any route is added.
fn document() -> OpenApi {
    let mut document = Document::openapi();
    sets::describe(document.components.get_or_insert_default());
    document
}

/// All routes with their description, grouped by what they allow.
pub(crate) fn all(access: &Access) -> OpenApiRouter<ApiState> {
    let groups = [
        (Allows::Look, Heeds::Assets, look()),
        (Allows::Enter, Heeds::Assets, enter()),
        (Allows::Own, Heeds::Assets, own()),
        (Allows::Read, Heeds::Assets, read_own()),
        (Allows::Read, Heeds::No, read()),
        (Allows::Ingest, Heeds::Assets, ingest()),
        (Allows::Operate, Heeds::Assets, operate_own()),
        (Allows::Operate, Heeds::No, operate()),
        (Allows::Engineer, Heeds::No, engineer()),
        (Allows::Administer, Heeds::No, administer()),
    ];
    groups.into_iter().fold(OpenApiRouter::with_openapi(document()), |all, (allows, heeds, routes)| {
        all.merge(group(access, allows, heeds, routes))
    })
}

fn look() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(ops::healthz))
        .routes(routes!(ops::readyz))
        .routes(routes!(ops::index))
        .routes(routes!(ops::openapi))
        .routes(routes!(influx::ping))
        .routes(routes!(influx::health))
        // Files of the console are no part of the API's description.
        .route("/ui", get(ui::to_shell))
        .route("/ui/", get(ui::shell))
        .route("/ui/{*path}", get(ui::file))
}

fn enter() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(login::login))
}

fn own() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(login::logout))
        .routes(routes!(login::me))
        .routes(routes!(login::set_own_password))
}

/// What reads, and heeds which assets a principal is bound to.
fn read_own() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(assets::list_assets))
        .routes(routes!(assets::get_asset))
        .routes(routes!(attributes::get_attributes))
        .routes(routes!(history::get_readings))
        .routes(routes!(lives::get_life_events))
        .routes(routes!(predictions::get_prediction))
        .routes(routes!(predictions::list_predictions))
        .routes(routes!(alerts::list_alerts))
        .routes(routes!(stream::stream_alerts))
        .routes(routes!(alerts::get_alert))
        .routes(routes!(rules::list_rules))
        .routes(routes!(rules::get_rule))
        .routes(routes!(sql::post_sql))
        .routes(routes!(ui::console))
}

/// What reads, and tells of all assets.
fn read() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(kpis::get_kpis))
        .routes(routes!(definitions::list_pipelines))
        .routes(routes!(definitions::get_pipeline))
        .routes(routes!(definitions::get_model_definition))
        .routes(routes!(definitions::post_check))
        .routes(routes!(jobs::list_jobs))
        .routes(routes!(jobs::list_runs))
        .routes(routes!(jobs::get_run))
        .routes(routes!(models::list_models))
        .routes(routes!(models::list_versions))
        .routes(routes!(sources::list_sources))
        .routes(routes!(sources::list_dead_letters))
        .routes(routes!(notifications::list_notifications))
        .routes(routes!(notifications::why))
        .routes(routes!(notifications::list_contacts))
        .routes(routes!(silences::list_silences))
        .routes(routes!(silences::list_windows))
        .routes(routes!(ops::metrics))
}

fn ingest() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(readings::post_readings))
        .routes(routes!(influx::write_v1))
        .routes(routes!(influx::write_v2))
        .routes(routes!(influx::write_v3))
}

/// What acts, and heeds which assets a principal is bound to.
fn operate_own() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(actions::post_actions))
        .routes(routes!(commands::acknowledge))
        .routes(routes!(commands::shelve))
        .routes(routes!(commands::unshelve))
        .routes(routes!(commands::comment))
        .routes(routes!(commands::assign))
        .routes(routes!(lives::post_life_event))
}

/// What acts on all assets.
fn operate() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(notifications::test))
        .routes(routes!(silences::add_silence))
        .routes(routes!(silences::remove_silence))
        .routes(routes!(silences::add_window))
        .routes(routes!(silences::remove_window))
}

fn engineer() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(jobs::run_job))
        .routes(routes!(jobs::backfill))
        .routes(routes!(jobs::cancel_run))
        .routes(routes!(attributes::put_attributes))
        .routes(routes!(definitions::put_pipeline))
        .routes(routes!(definitions::put_model_definition))
        .routes(routes!(definitions::post_apply))
        .routes(routes!(models::train))
        .routes(routes!(models::predict))
        .routes(routes!(models::promote))
}

fn administer() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(backups::hold_for_backup))
        .routes(routes!(users::list_users, users::put_user))
        .routes(routes!(users::remove_user))
        .routes(routes!(users::set_password))
        .routes(routes!(tokens::list_tokens, tokens::make_token))
        .routes(routes!(tokens::revoke_token))
        .routes(routes!(audit::get_audit))
}

//! Readings in, and out again.

use std::io::Write as _;

use axum::body::Body;
use axum::http::Request;
use flate2::Compression;
use flate2::write::GzEncoder;
use forewarn_types::{LifeEvent, LifeEventKind, Offset, Timestamp};

use super::Server;
use crate::routes::predictions::reason;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_accepted_is_seen_at_once() {
    let server = Server::start().await;
    let of_pump7 = r#"{"asset":"plant1/pump7","signal":"temperature""#;
    let lines = format!(
        r#"{of_pump7},"time":"2026-01-01T00:00:00Z","value":91.2}}
{of_pump7}}}
{of_pump7},"time":1767225660000,"value":92.5,"quality":"uncertain"}}
{{"asset":"plant1/pump8","signal":"flow","value":3}}
"#
    );
    let answer = server.post("/v1/readings", lines).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let result = answer.json();
    assert_eq!(
        (result["accepted"].as_u64(), result["rejected"][0]["line"].as_u64()),
        (Some(3), Some(2)),
        "{result}"
    );

    let history = server.get("/v1/assets/plant1%2Fpump7/signals/temperature/readings").await.json();
    assert_eq!(history["resolution"], "raw");
    assert_eq!(history["readings"][0]["time"], "2026-01-01T00:00:00Z");
    assert_eq!(history["readings"][1]["value"], 92.5);
    assert_eq!(history["readings"][1]["quality"], "uncertain");

    let path = "/v1/assets/plant1%2Fpump7/signals/temperature/readings\
                ?from=2026-01-01T00:00:30%2B00:00&to=1767225720000";
    assert_eq!(server.get(path).await.json()["readings"].as_array().unwrap().len(), 1);
    let coarse =
        server.get("/v1/assets/plant1%2Fpump7/signals/temperature/readings?max_points=1").await.json();
    assert_eq!(
        (coarse["resolution"].as_str(), coarse["readings"][0]["count"].as_u64()),
        (Some("buckets"), Some(2))
    );
    assert_eq!(
        (coarse["readings"][0]["min"].as_f64(), coarse["readings"][0]["max"].as_f64()),
        (Some(91.2), Some(92.5))
    );

    let asset = server.get("/v1/assets/plant1%2Fpump7").await.json();
    assert_eq!(
        (asset["asset"].as_str(), asset["signals"][0]["value"].as_f64()),
        (Some("plant1/pump7"), Some(92.5))
    );
    let sql = server.post("/v1/sql", r#"{"query":"SELECT count(*) AS n FROM readings"}"#).await.json();
    assert_eq!(sql, serde_json::json!({"columns": ["n"], "rows": [[3]]}));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn assets_come_flat_or_as_a_tree_and_in_pages() {
    let server = Server::start().await;
    for asset in ["plant1/line1/pump1", "plant1/line1/pump2", "plant1-b/x", "plant2"] {
        let body = format!("{{\"asset\":\"{asset}\",\"signal\":\"s\",\"value\":1}}");
        assert_eq!(server.post("/v1/readings", body).await.json()["accepted"], 1);
    }
    let paths = |answer: &serde_json::Value| -> Vec<String> {
        answer["assets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["asset"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        paths(&server.get("/v1/assets?under=plant1").await.json()),
        ["plant1/line1/pump1", "plant1/line1/pump2"]
    );
    let first = server.get("/v1/assets?limit=3").await.json();
    assert_eq!(paths(&first).len(), 3);
    let next = first["next"].as_str().unwrap().replace('/', "%2F");
    let second = server.get(&format!("/v1/assets?limit=3&cursor={next}")).await.json();
    assert_eq!(paths(&second).len(), 1);
    assert!(second["next"].is_null());
    let tree = server.get("/v1/assets?tree=true").await.json();
    assert_eq!(paths(&tree), ["plant1", "plant1-b", "plant2"]);
    assert_eq!(tree["assets"][0]["children"][0]["children"][1]["asset"], "plant1/line1/pump2");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn influx_clients_are_understood() {
    let server = Server::start().await;
    let line = "pump,site=plant1,unit=pump7 temperature=91.2,on=true 1767225600\n";
    let write = |path: &str, body: Vec<u8>, encoding: &str| {
        Request::post(path)
            .header("content-encoding", encoding)
            .header("content-type", "text/plain")
            .body(Body::from(body))
            .unwrap()
    };
    let answer =
        server.send(write("/api/v2/write?bucket=b&org=o&precision=s", gzip(line.as_bytes()), "gzip")).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (204, String::new()));
    let asset = server.get("/v1/assets/plant1%2Fpump7").await.json();
    assert_eq!(asset["signals"].as_array().unwrap().len(), 2, "{asset}");

    // What Telegraf's plugin `system` sends: InfluxDB takes it, so it is no partial write.
    let texts = b"system,host=h uptime=5i,uptime_format=\"3:21\" 1767225600\n\
                  system,host=h uptime_format=\"3:21\" 1767225601\n"
        .to_vec();
    assert_eq!(server.send(write("/api/v2/write?precision=s", texts, "identity")).await.status, 204);

    let mixed = b"pump,site=plant1,unit=pump8 temperature=1 1767225600\npump temperature=\n".to_vec();
    let answer = server.send(write("/write?db=x&precision=s&u=me&p=secret", mixed, "identity")).await;
    assert_eq!(answer.status, 400);
    let error = answer.json();
    assert_eq!((error["code"].as_str(), error["accepted"].as_u64()), (Some("invalid"), Some(1)), "{error}");
    assert!(error["message"].as_str().unwrap().starts_with("partial write"));
    assert_eq!(error["rejected"][0]["line"], 2);
    assert_eq!(server.get("/v1/assets/plant1%2Fpump8").await.status, 200, "the good line is kept");

    assert_eq!(
        server.send(write("/write?precision=fortnight", b"a b=1".to_vec(), "identity")).await.status,
        400
    );
    assert_eq!(
        server.send(write("/write", vec![b'x'; 30_000], "identity")).await.json()["code"],
        "request too large"
    );
    let ping = server.get("/ping").await;
    assert_eq!(ping.status, 204);
    assert!(ping.headers.contains_key("x-influxdb-version"));
    assert_eq!(server.get("/health").await.json()["status"], "pass");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_event_of_an_asset_nobody_has_heard_of_is_refused_unless_it_is_said_to_be_new() {
    let server = Server::start().await;
    let path = "/v1/assets/plant1%2Fnew/life-events";
    let problem = server.post(path, r#"{"event":"installed"}"#).await.problem(404);
    assert!(problem["detail"].as_str().unwrap().contains("nothing has been heard of asset plant1/new"));
    server.get("/v1/assets/plant1%2Fnew").await.problem(404);
    let new = r#"{"event":"installed","time":1767225600000,"actor":"anna","new_asset":true}"#;
    let answer = server.post(path, new).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let slip = server.post("/v1/assets/plant1%2Fnw/life-events", r#"{"event":"failed"}"#).await.problem(404);
    assert!(slip["hint"].as_str().unwrap().contains("did you mean plant1/new?"), "{slip}");
    let answer = server.post("/v1/assets/plant1%2Fnew/life-events", r#"{"event":"failed"}"#).await;
    assert_eq!(answer.json()["time"], super::NOW, "left out, it is the server's time");
    let events = server.get("/v1/assets/plant1%2Fnew/life-events").await.json();
    assert_eq!(events["life_events"][0]["event"], "installed");
    assert_eq!(events["life_events"].as_array().unwrap().len(), 2);
    for bad in [
        r#"{"event":"exploded"}"#,
        r#"{"event":"failed","time":"2099-01-01T00:00:00Z"}"#,
        r#"{"event":"failed","when":1}"#,
    ] {
        server.post("/v1/assets/plant1%2Fnew/life-events", bad).await.problem(400);
    }
    server.post("/v1/assets/plant1%2F%2Fnew/life-events", r#"{"event":"failed"}"#).await.problem(400);
    server.get("/v1/assets/plant1%2Fnew/prediction").await.problem(404);
    server.stop().await;
}

fn write_lp(path: &str, body: &str) -> Request<Body> {
    Request::post(path).body(Body::from(body.to_owned())).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tag_sets_with_the_same_values_are_different_assets() {
    let server = Server::start().await;
    let lines = "m,inlet=a v=1 1767225600\nm,outlet=a v=2 1767225600\nm,unit=P#7 v=3 1767225600\n\
                 m,unit=P_7 v=4 1767225600\nm,unit=P&7 v=5 1767225600\n";
    assert_eq!(server.send(write_lp("/write?precision=s", lines)).await.status, 204);
    let query = r#"{"query":"SELECT asset, value FROM readings ORDER BY value"}"#;
    let rows = server.post("/v1/sql", query).await.json()["rows"].clone();
    let expected =
        serde_json::json!([["a", 1.0], ["outlet:a", 2.0], ["P_x23_7", 3.0], ["P_7", 4.0], ["P_x26_7", 5.0]]);
    assert_eq!(rows, expected);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_in_the_wrong_unit_is_refused_and_the_right_one_named() {
    let server = Server::start().await;
    let ms = "the time 1970-01-21T10:53:45.600000Z lies before limits.min_time = 2000-01-01T00:00:00Z (the server's \
              clock shows 2026-01-01T12:00:00Z); read as seconds it is 2026-01-01, but it was read as milliseconds: \
              send those, or say the unit";
    let reading = |time: &str| format!(r#"{{"asset":"p","signal":"t","time":{time},"value":1}}"#);
    let answer = server.post("/v1/readings", reading("1767225600")).await;
    assert_eq!(answer.problem(422)["rejected"][0]["reason"], ms);
    for (time, unit) in [("1767225600000000", "microseconds"), ("1767225600000000000", "nanoseconds")] {
        let problem = server.post("/v1/readings", reading(time)).await.problem(422);
        assert!(problem["rejected"][0]["reason"].as_str().unwrap().contains(unit), "{problem}");
    }
    for (precision, time, unit) in [
        ("ns", 1_767_225_600_i64, "seconds"),
        ("ns", 1_767_225_600_000, "milliseconds"),
        ("ns", 1_767_225_600_000_000, "microseconds"),
        ("ms", 1_767_225_600, "seconds"),
        ("us", 1_767_225_600_000, "milliseconds"),
        ("s", 1_767_225_600_000, "milliseconds"),
        ("s", 1_767_225_600_000_000_000, "nanoseconds"),
    ] {
        let line = format!("m v=1 {time}");
        let answer = server.send(write_lp(&format!("/write?precision={precision}"), &line)).await;
        assert_eq!(answer.status, 400, "{precision} {time}");
        let reason = answer.json()["rejected"][0]["reason"].to_string();
        assert!(reason.contains(&format!(" {unit}")), "{precision} {time}: {reason}");
    }
    // A clock that was never set, and a text, are refused as well; older readings need a word.
    server.post("/v1/readings", reading("\"1999-12-31T23:59:59Z\"")).await.problem(422);
    server.post("/v1/readings", reading("0")).await.problem(422);
    assert_eq!(
        server.post("/v1/sql", r#"{"query":"SELECT count(*) FROM readings"}"#).await.json()["rows"][0][0],
        0
    );
    assert_eq!(server.post("/v1/readings", reading("\"2000-01-01T00:00:00Z\"")).await.status, 200);
    let old =
        server.post("/v1/readings?min_time=1980-01-01T00:00:00Z", reading("\"1980-01-01T00:00:00Z\"")).await;
    assert_eq!(old.status, 200, "{}", old.text());
    let older =
        server.post("/v1/readings?min_time=1980-01-01T00:00:00Z", reading("\"1979-12-31T00:00:00Z\"")).await;
    older.problem(422);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answer_is_422_where_every_line_was_refused() {
    let server = Server::start().await;
    let bad = "{\"asset\":\"p\"}\nno JSON\n";
    let problem = server.post("/v1/readings", bad).await.problem(422);
    assert_eq!((&problem["accepted"], &problem["rejected_total"]), (&0.into(), &2.into()), "{problem}");
    assert_eq!((&problem["rejected"][0]["line"], &problem["rejected"][1]["line"]), (&1.into(), &2.into()));
    assert!(problem["detail"].as_str().unwrap().contains("line 1: "), "{problem}");
    let good = r#"{"asset":"p","signal":"t","time":"2026-01-01T00:00:00Z","value":1}"#;
    assert_eq!(server.post("/v1/readings", format!("{bad}{good}")).await.status, 200);
    // What was stored before is no refusal.
    assert_eq!(server.post("/v1/readings", format!("{bad}{good}")).await.status, 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_influxdb_3_are_understood() {
    let server = Server::start().await;
    let seconds = 1_767_225_600_i64;
    for (index, (precision, time)) in [
        ("nanosecond", seconds * 1_000_000_000),
        ("microsecond", seconds * 1_000_000),
        ("millisecond", seconds * 1_000),
        ("second", seconds),
        ("ns", seconds * 1_000_000_000),
        ("us", seconds * 1_000_000),
        ("ms", seconds * 1_000),
        ("s", seconds),
        ("auto", seconds * 1_000_000_000),
        ("auto", seconds * 1_000_000),
        ("auto", seconds * 1_000),
        ("auto", seconds),
    ]
    .into_iter()
    .enumerate()
    {
        for path in ["/api/v3/write_lp?db=d&no_sync=true&", "/api/v2/write?bucket=b&", "/write?db=d&"] {
            let line = format!("m,t=a v{index}=1 {time}");
            let answer = server.send(write_lp(&format!("{path}precision={precision}"), &line)).await;
            assert_eq!(answer.status, 204, "{path} {precision}: {}", answer.text());
        }
    }
    assert_eq!(server.send(write_lp("/api/v3/write_lp?db=d", "m,t=a w=1 1767225600")).await.status, 204);
    let query = r#"{"query":"SELECT count(*), count(DISTINCT time), min(time) FROM readings"}"#;
    let rows = server.post("/v1/sql", query).await.json()["rows"][0].clone();
    assert_eq!(rows, serde_json::json!([13, 1, "2026-01-01T00:00:00Z"]));

    let mixed = "m,t=b v=1 1767225600\nm,t=b v=1,5 1767225601\nm,t=b v=3 17672256010000\n";
    let whole = server.send(write_lp("/api/v3/write_lp?db=d&accept_partial=false", mixed)).await;
    assert_eq!(
        (whole.status.as_u16(), whole.json()["accepted"].as_u64()),
        (400, Some(0)),
        "{}",
        whole.text()
    );
    assert_eq!(server.get("/v1/assets/b").await.status, 404, "nothing of it is stored");
    let part = server.send(write_lp("/api/v3/write_lp?db=d", mixed)).await;
    assert_eq!((part.status.as_u16(), &part.json()["accepted"]), (400, &1.into()));
    assert_eq!(part.json()["data"][0]["line_number"], 2);
    assert_eq!(server.get("/v1/assets/b").await.status, 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_that_is_sent_again_is_recognised_beyond_the_memory_of_the_intake() {
    let server = Server::start().await;
    let history = (0..150)
        .map(|minute| {
            let time = 1_767_225_600_000_i64 + minute * 60_000;
            format!("{{\"asset\":\"p\",\"signal\":\"t\",\"time\":{time},\"value\":{minute}}}\n")
        })
        .collect::<Vec<_>>()
        .concat();
    let first = server.post("/v1/readings?history=true", history.clone()).await.json();
    assert_eq!((&first["accepted"], &first["duplicate"]), (&150.into(), &0.into()), "{first}");
    // The intake of these tests remembers 64 readings. What is older stands in the lake, or in the log behind
    // it.
    server.lake.flush().await.unwrap();
    let more = r#"{"asset":"p","signal":"t","time":"2026-01-01T00:00:30Z","value":7}"#;
    assert_eq!(server.post("/v1/readings", more).await.json()["accepted"], 1);
    let again = server.post("/v1/readings?history=true", format!("{history}{more}")).await.json();
    assert_eq!((&again["accepted"], &again["duplicate"]), (&0.into(), &151.into()), "{again}");
    // A corrected value is no repetition.
    let corrected = r#"{"asset":"p","signal":"t","time":"2026-01-01T00:01:00Z","value":1.5}"#;
    assert_eq!(server.post("/v1/readings?history=true", corrected).await.json()["accepted"], 1);
    let sql = server.post("/v1/sql", r#"{"query":"SELECT count(*), sum(value) FROM readings"}"#).await.json();
    assert_eq!(sql["rows"][0], serde_json::json!([152, 11_183.5]));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_life_event_is_corrected_or_withdrawn_on_record() {
    let server = Server::start().await;
    let path = "/v1/assets/plant1%2Fpump/life-events";
    let post = async |body: String| server.post(path, body).await.json()["offset"].as_u64().unwrap();
    post(r#"{"event":"installed","time":1767225600000,"new_asset":true}"#.into()).await;
    let failed = post(r#"{"event":"failed","time":1767229200000}"#.into()).await;
    server.post(path, r#"{"event":"withdrawn"}"#).await.problem(400);
    server.post(path, r#"{"event":"withdrawn","corrects":999999}"#).await.problem(404);
    let repaired =
        post(format!(r#"{{"event":"repaired","corrects":{failed},"comment":"only a seal"}}"#)).await;
    let shown = server.get(path).await.json()["life_events"].clone();
    assert_eq!(
        (shown[1]["corrected_by"].as_u64(), shown[2]["corrects"].as_u64()),
        (Some(repaired), Some(failed))
    );
    assert_eq!(shown[2]["time"], shown[1]["time"], "it happened when the wrong one did");
    let again = format!(r#"{{"event":"retired","corrects":{failed}}}"#);
    let problem = server.post(path, again).await.problem(409);
    assert!(problem["detail"].as_str().unwrap().contains("corrected already"), "{problem}");

    let misspelt = "/v1/assets/plant1%2Fpmup/life-events";
    let event = server.post(misspelt, r#"{"event":"failed","new_asset":true}"#).await.json();
    let back = format!(r#"{{"event":"withdrawn","corrects":{}}}"#, event["offset"]);
    assert_eq!(server.post(misspelt, back).await.status, 201);
    server.get("/v1/assets/plant1%2Fpmup").await.problem(404);
    let sql =
        r#"{"query":"SELECT event, corrects FROM life_events WHERE asset = 'plant1/pmup' ORDER BY time"}"#;
    let rows = server.post("/v1/sql", sql).await.json()["rows"].clone();
    assert_eq!(rows.as_array().map(Vec::len), Some(2), "all of it stays on record: {rows}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_there_is_no_prediction_has_a_reason() {
    let server = Server::start().await;
    let problem = server.get("/v1/assets/plant9%2Fnobody/prediction").await.problem(404);
    assert!(problem["detail"].as_str().unwrap().contains("asset plant9/nobody is not known"), "{problem}");
    let body = r#"{"event":"installed","new_asset":true}"#;
    server.post("/v1/assets/plant1%2Fpump/life-events", body).await;
    let problem = server.get("/v1/assets/plant1%2Fpump/prediction?model=mist").await.problem(404);
    assert!(problem["detail"].as_str().unwrap().contains("there is no model mist"), "{problem}");
    server.stop().await;
}

#[test]
fn why_a_trained_model_has_said_nothing_is_told() {
    let model = "model: life\nkind: time_to_failure\nassets: '**'\nsignals: [flow, heat]\n\
        features: { every: 1h, windows: [6h] }\ntarget: { unit: hours, cap: 100 }\n";
    let models = [("life.yaml".to_owned(), model.to_owned())];
    let model = forewarn_spec::load_definitions(&[], &models).unwrap().models.remove(0);
    let mut asset = forewarn_state::Asset::default();
    asset.signals.insert("flow".into(), forewarn_types::SeriesId(0));
    assert_eq!(reason(&model, &asset), "the asset has never sent heat, which the model uses");
    asset.signals.insert("heat".into(), forewarn_types::SeriesId(1));
    assert!(reason(&model, &asset).contains("POST /v1/models/life/predict"));
    let event = |event, time, corrects| LifeEvent {
        asset: "a".into(),
        event,
        time: Timestamp(time),
        actor: None,
        comment: None,
        corrects,
    };
    asset.lives.push_back((Offset(7), event(LifeEventKind::Failed, 5, None)));
    assert!(reason(&model, &asset).contains("the asset's life has ended (failed at 1970-01-01T00:00:00"));
    asset.lives.push_back((Offset(8), event(LifeEventKind::Withdrawn, 5, Some(Offset(7)))));
    assert!(reason(&model, &asset).contains("has not run since"));
}

//! Small files of every form, and the real ones.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int32Array, RecordBatch, StringArray,
    TimestampMillisecondArray,
};
use arrow::datatypes::Int32Type;
use forewarn_ingest::RawBatch;
use forewarn_types::{LifeEventKind, Quality, Timestamp};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use crate::{Format, ImportMapping, Importer, Lives, TimeUnit, columns, open};

mod loggers;

/// A file with `content`, gone with its folder.
fn file(name: &str, content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

fn mapping(asset: &str, time: &str) -> ImportMapping {
    ImportMapping { asset: asset.into(), time: time.into(), ..ImportMapping::default() }
}

/// Reads the whole file in pieces of `max_rows`, and checks that the progress ends at the file's size.
fn read_all(importer: &mut Importer, max_rows: usize) -> Vec<RawBatch> {
    let mut batches = Vec::new();
    let mut read = 0;
    while let Some(batch) = importer.next_batch(max_rows).unwrap() {
        assert!(importer.bytes_read() >= read);
        read = importer.bytes_read();
        batches.push(batch);
    }
    assert_eq!(importer.bytes_read(), importer.bytes_total());
    batches
}

fn import(content: &[u8], name: &str, mapping: &ImportMapping) -> (Importer, RawBatch) {
    let (_folder, path) = file(name, content);
    let mut importer = open(&path, mapping).unwrap();
    let mut batches = read_all(&mut importer, 1_000);
    assert_eq!(batches.len(), 1);
    (importer, batches.remove(0))
}

fn problem(content: &str, mapping: &ImportMapping) -> String {
    let (_folder, path) = file("data.csv", content.as_bytes());
    let error = open(&path, mapping).err().unwrap().to_string();
    error.strip_prefix(&format!("cannot import {}: ", path.display())).unwrap().to_owned()
}

/// Seconds, asset, signal, value and line of each reading.
fn rows(batch: &RawBatch) -> Vec<(i64, &str, &str, f64, u32)> {
    (0..batch.len())
        .map(|row| {
            let (asset, signal) = batch.name_of(row);
            (batch.time[row] / 1_000_000, asset, signal, batch.value[row], batch.line[row])
        })
        .collect()
}

fn reasons(batch: &RawBatch) -> Vec<(usize, &str)> {
    batch.errors.iter().map(|error| (error.line, error.reason.as_str())).collect()
}

#[test]
fn one_odd_cell_does_not_hide_a_column() {
    let content = "time,pump,shake,remark\n10,p,1.0,ok\n20,p,broken,17\n30,p,1.5,worn\n";
    let (_, batch) = import(
        content.as_bytes(),
        "data.csv",
        &ImportMapping { time_unit: Some(TimeUnit::S), ..mapping("{pump}", "time") },
    );
    assert_eq!(rows(&batch), [(10, "p", "shake", 1.0, 2), (30, "p", "shake", 1.5, 4)]);
    let reasons = reasons(&batch);
    assert!(
        reasons.len() == 1
            && reasons[0].0 == 3
            && reasons[0].1.contains("shake")
            && reasons[0].1.contains("broken"),
        "{reasons:?}"
    );
}

#[test]
fn a_csv_file_with_all_its_oddities() {
    let content = "\u{feff}time,\"unit\",Volume Flow,temp,note\r\n\
                   1970-01-01 00:00:10,7,1.5,\"2.5\",\"a, \"\"b\"\"\"\r\n\
                   1970-01-01T00:00:20Z,7,,NaN,x\r\n\
                   1970-01-01 00:00:30,8,x1,4,x\r\n\
                   yesterday,8,1,4,x\r\n\
                   1970-01-01 00:00:40,8,1\r\n\
                   1970-01-01 00:00:50,8,3,inf,x\r\n\
                   \r\n\
                   1970-01-01 00:01:00,,3,5,x\r\n\
                   1970-01-01 00:01:10,8,3,5,\"over two\r\nlines\"\r\n\
                   1970-01-01 00:01:20,8,6,,x";
    let mapping = ImportMapping {
        signals: vec!["Volume Flow,temp=temperature".into()],
        ..mapping("plant/unit{unit}", "time")
    };
    let (importer, batch) = import(content.as_bytes(), "data.csv", &mapping);
    let expected = [
        (10, "plant/unit7", "Volume_Flow", 1.5, 2),
        (10, "plant/unit7", "temperature", 2.5, 2),
        (30, "plant/unit8", "temperature", 4.0, 4),
        (50, "plant/unit8", "Volume_Flow", 3.0, 7),
        (70, "plant/unit8", "Volume_Flow", 3.0, 10),
        (70, "plant/unit8", "temperature", 5.0, 10),
        (80, "plant/unit8", "Volume_Flow", 6.0, 12),
    ];
    assert_eq!(rows(&batch), expected);
    let known = "known are RFC 3339, YYYY-MM-DD HH:MM:SS, and numbers with time_unit";
    let expected = [
        (4, "column \"Volume Flow\" is \"x1\", not a number".to_owned()),
        (5, format!("time column \"time\" is \"yesterday\", not a time; {known}")),
        (6, "the row has 3 cells, but there are 5 columns".to_owned()),
        (7, "column \"temp\" is infinite or too large for a 64-bit float".to_owned()),
        (9, "column \"unit\", which the asset needs, is empty or neither text nor a number".to_owned()),
    ];
    assert_eq!(
        reasons(&batch),
        expected.iter().map(|(line, reason)| (*line, reason.as_str())).collect::<Vec<_>>()
    );
    assert_eq!((importer.skipped_cells(), importer.life_events()), (3, vec![]));
}

#[test]
fn numeric_columns_are_the_default_signals() {
    for delimiter in [",", ";", "\t"] {
        let content = "t,name,a,b,text,empty\n1,p,1.5,-2e3,x,\n2,p,,7,1,\n".replace(',', delimiter);
        let mapping = ImportMapping { time_unit: Some(TimeUnit::S), ..mapping("{name}", "t") };
        let (importer, batch) = import(content.as_bytes(), "data.txt", &mapping);
        assert_eq!(
            rows(&batch),
            [(1, "p", "a", 1.5, 2), (1, "p", "b", -2e3, 2), (2, "p", "b", 7.0, 3)],
            "{delimiter:?}"
        );
        assert_eq!((importer.skipped_cells(), batch.rejected), (3, 0));
    }
    let mapping = ImportMapping { time_unit: Some(TimeUnit::S), delimiter: Some('|'), ..mapping("p", "t") };
    let (_, batch) = import(b"t|a,b\n1|2\n", "data.csv", &mapping);
    assert_eq!(rows(&batch), [(1, "p", "a_b", 2.0, 2)]);
}

#[test]
fn the_long_form_and_qualities() {
    let content = "when,tag,reading,q\n1,temp,1.5,good\n2,flow rate,true,BAD\n\
                   3,temp,1,fine\n4,,1,\n5,temp,,uncertain\n";
    let mapping = ImportMapping {
        signal: Some("tag".into()),
        value: Some("reading".into()),
        quality: Some("q".into()),
        time_unit: Some(TimeUnit::Ms),
        ..mapping("p", "when")
    };
    let (importer, batch) = import(content.as_bytes(), "data.csv", &mapping);
    assert_eq!(rows(&batch), [(0, "p", "temp", 1.5, 2), (0, "p", "flow_rate", 1.0, 3)]);
    assert_eq!(
        (batch.time.as_slice(), batch.quality.as_slice()),
        (&[1_000, 2_000][..], &[Quality::Good, Quality::Bad][..])
    );
    let expected = [
        (4, "quality column \"q\" is \"fine\"; known are good, uncertain and bad"),
        (5, "column \"tag\" names no signal"),
    ];
    assert_eq!((reasons(&batch), importer.skipped_cells()), (expected.to_vec(), 1));
}

#[test]
fn a_table_without_header_in_cycles_with_lives() {
    let content = b"1 1  0.5 10  \n1 2 0.6 11\n2 1 0.7 12 13\n\n2 1 0.7 12\n2 2 0.8 x\n2 3 0.9 14\n";
    let mapping = ImportMapping {
        columns: vec!["unit,cycle,s1..2".into()],
        time_start: Some(Timestamp(0)),
        time_step: Some("10s".into()),
        lives: Lives::Failed,
        ..mapping("fleet/unit{unit}", "cycle")
    };
    let (importer, batch) =
        import(content, "data.txt", &ImportMapping { signals: vec!["s1..s2".into()], ..mapping.clone() });
    let u = ["fleet/unit1", "fleet/unit2"];
    let expected = [
        (10, u[0], "s1", 0.5, 1),
        (10, u[0], "s2", 10.0, 1),
        (20, u[0], "s1", 0.6, 2),
        (20, u[0], "s2", 11.0, 2),
        (10, u[1], "s1", 0.7, 5),
        (10, u[1], "s2", 12.0, 5),
        (20, u[1], "s1", 0.8, 6),
        (30, u[1], "s1", 0.9, 7),
        (30, u[1], "s2", 14.0, 7),
    ];
    assert_eq!(rows(&batch), expected);
    assert_eq!(
        reasons(&batch),
        [(3, "the row has 5 cells, but there are 4 columns"), (6, "column \"s2\" is \"x\", not a number")]
    );
    let events: Vec<_> = importer
        .life_events()
        .into_iter()
        .map(|life| (life.asset.to_string(), life.event, life.time.0 / 1_000_000))
        .collect();
    let (installed, failed) = (LifeEventKind::Installed, LifeEventKind::Failed);
    assert_eq!(
        events,
        [
            (u[0].into(), installed, 0),
            (u[0].into(), failed, 20),
            (u[1].into(), installed, 0),
            (u[1].into(), failed, 30)
        ]
    );
    let (importer, _) = import(content, "data.txt", &ImportMapping { lives: Lives::Running, ..mapping });
    assert_eq!(
        importer.life_events().iter().map(|life| life.event).collect::<Vec<_>>(),
        [installed, installed]
    );
}

#[test]
fn times_in_every_form() {
    let plain = mapping("p", "t");
    let oslo = ImportMapping { timezone: Some("Europe/Oslo".into()), ..plain.clone() };
    let unit = |unit| ImportMapping { time_unit: Some(unit), ..plain.clone() };
    let noon = 1_782_907_200_000_000;
    let cases = [
        (&plain, "2026-07-01 12:00:00", noon),
        (&plain, "2026-07-01T12:00:00", noon),
        (&plain, "2026-07-01 12:00", noon),
        (&plain, "2026-07-01", noon - 43_200_000_000),
        (&plain, "2026-07-01T14:00:00.5+02:00", noon + 500_000),
        (&oslo, "2026-07-01 14:00:00.25", noon + 250_000),
        (&oslo, "2026-07-01T12:00:00Z", noon),
        // Clocks go back at 3:00: the first 2:30 counts.
        (&oslo, "2026-10-25 02:30:00", 1_792_888_200_000_000),
        (&unit(TimeUnit::S), "1782907200.5", noon + 500_000),
        (&unit(TimeUnit::Ms), "1782907200000", noon),
        (&unit(TimeUnit::Us), "1782907200000001", noon + 1),
        (&unit(TimeUnit::Ns), "1782907200000001999", noon + 1),
        (&unit(TimeUnit::S), "2026-07-01 12:00:00", noon),
    ];
    for (mapping, text, us) in cases {
        let (_, batch) = import(format!("t,v\n{text},1\n").as_bytes(), "data.csv", mapping);
        assert_eq!((batch.time.as_slice(), batch.errors.as_slice()), (&[us][..], &[][..]), "{text}");
    }
    let number = "time column \"t\" is the number 12; give time_unit, or time_start and time_step for cycles";
    let gap = "time column \"t\" is 2026-03-29 02:30:00, which no clock in Europe/Oslo ever showed \
               (clocks were set forward)";
    let range = "time column \"t\" is \"1e40\", which is out of range; check time_unit";
    for (mapping, text, reason) in [
        (&plain, "12", number),
        (&oslo, "2026-03-29 02:30:00", gap),
        (&unit(TimeUnit::S), "1e40", range),
        (&plain, "", "time column \"t\" is empty"),
    ] {
        let (_, batch) = import(format!("t,v\n{text},1\n").as_bytes(), "data.csv", mapping);
        assert_eq!(reasons(&batch), [(2, reason)]);
    }
}

#[test]
fn a_mapping_that_does_not_fit_is_refused_with_what_would() {
    let good = mapping("p{unit}", "t");
    let cases = [
        (
            mapping("", "t"),
            "no asset is given; set asset to a path, with columns in braces where it differs by row: \
             plant1/unit{unit}",
        ),
        (mapping("p{units}", "t"), "there is no column \"units\"; the columns are t, unit, a, b"),
        (mapping("p{unit", "t"), "asset \"p{unit\" has a { without }"),
        (mapping("p", ""), "no time column is given; set time to one of t, unit, a, b"),
        (
            ImportMapping { signals: vec!["a=1a".into()], ..good.clone() },
            "signal \"1a\" does not begin with a letter or _; a signal is a name such as vibration_rms",
        ),
        (
            ImportMapping { signals: vec!["a,b=a".into()], ..good.clone() },
            "two columns become the signal \"a\"; rename one with signals: column=signal",
        ),
        (
            ImportMapping { signals: vec!["a9..a1".into()], ..good.clone() },
            "\"a9..a1\" is not a range of columns; write it such as s1..s21 or s1..21",
        ),
        (
            ImportMapping { signal: Some("a".into()), ..good.clone() },
            "signal and value belong together: the column that names the signal and the one that holds \
             its value",
        ),
        (
            ImportMapping { timezone: Some("Oslo".into()), ..good.clone() },
            "timezone \"Oslo\" is unknown; write one such as Europe/Oslo",
        ),
        (
            ImportMapping { time_step: Some("1h".into()), ..good.clone() },
            "time_start and time_step belong together; give both where the time column counts cycles",
        ),
        (
            ImportMapping { format: Some(Format::Parquet), ..good.clone() },
            "Parquet error: Invalid Parquet file. Corrupt footer",
        ),
    ];
    for (mapping, expected) in cases {
        assert_eq!(problem("t,unit,a,b\n2026-01-01,1,2,3\n", &mapping), expected);
    }
    assert_eq!(
        problem("1,2\n3,4\n", &good),
        "the first row holds numbers, no names; give columns for a file without a header"
    );
    assert_eq!(problem(" \n", &good), "the file is empty");
    assert_eq!(
        problem("t,unit\n2026-01-01,1\n", &good),
        "no column is a signal; set signals to some of t, unit"
    );
    let (folder, _) = file("x", b"");
    assert!(
        open(&folder.path().join("missing.csv"), &good).err().unwrap().to_string().contains("No such file")
    );
}

#[test]
fn a_mapping_is_read_from_a_document() {
    let text = r#"{"asset":"p","time":"t","signals":"s1..s3","columns":["t","s1..3"],
        "time_start":"1970-01-01T00:00:00Z","time_step":"1h","lives":"failed"}"#;
    let mapping: ImportMapping = serde_json::from_str(text).unwrap();
    assert_eq!(columns::expand(&mapping.signals).unwrap(), ["s1", "s2", "s3"]);
    assert_eq!(columns::expand(&mapping.columns).unwrap(), ["t", "s1", "s2", "s3"]);
    assert_eq!((mapping.lives, mapping.time_start), (Lives::Failed, Some(Timestamp(0))));
    assert!(
        serde_json::from_str::<ImportMapping>(r#"{"assets":"p"}"#)
            .unwrap_err()
            .to_string()
            .contains("unknown field `assets`")
    );
}

#[test]
fn rows_that_are_no_text_cost_only_themselves() {
    for (name, content) in
        [("a.csv", &b"t,v\n1,1\n2,\xff\n3,3\n"[..]), ("a.txt", &b"t v\n1 1\n2 \xff\n3 3\n"[..])]
    {
        let mapping = ImportMapping { time_unit: Some(TimeUnit::S), ..mapping("p", "t") };
        let (_, batch) = import(content, name, &mapping);
        assert_eq!(
            (batch.line.as_slice(), batch.rejected, batch.errors[0].line),
            (&[2, 4][..], 1, 3),
            "{name} {:?}",
            batch.errors
        );
        assert!(batch.errors[0].reason.contains("not UTF-8 text; convert the file to UTF-8"));
    }
    let long = format!("t v\n1 1\n2 {}\n3 3\n", "9".repeat(3 << 20));
    let (_, batch) = import(
        long.as_bytes(),
        "a.txt",
        &ImportMapping { time_unit: Some(TimeUnit::S), ..mapping("p", "t") },
    );
    assert_eq!(
        (batch.line.as_slice(), reasons(&batch)),
        (&[2, 4][..], vec![(3, "the line has more than 1048576 bytes")])
    );
}

#[test]
fn parquet_files_are_read_in_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.parquet");
    let times =
        TimestampMillisecondArray::from_iter_values((0..1_000).map(|row| row * 1_000)).with_timezone("UTC");
    let names: DictionaryArray<Int32Type> =
        (0..1_000).map(|row| if row % 2 == 0 { "a" } else { "b" }).collect();
    let value: Float64Array = (0..1_000)
        .map(|row| (row % 10 != 0).then(|| if row == 5 { f64::INFINITY } else { f64::from(row) }))
        .collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("time", Arc::new(times)),
        ("name", Arc::new(names)),
        ("unit", Arc::new(Int32Array::from_iter_values((0..1_000).map(|row| row / 500)))),
        ("value", Arc::new(value)),
        ("on", Arc::new((0..1_000).map(|row| Some(row % 3 == 0)).collect::<BooleanArray>())),
        ("text", Arc::new(StringArray::from_iter_values((0..1_000).map(|row| row.to_string())))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(300)).build();
    let mut writer =
        ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();

    let mut importer =
        open(&path, &ImportMapping { lives: Lives::Running, ..mapping("{name}/{unit}", "time") }).unwrap();
    let batches = read_all(&mut importer, 64);
    assert_eq!(batches.len(), 16);
    assert_eq!(
        rows(&batches[0])[..3],
        [(0, "a/0", "on", 1.0, 1), (1, "b/0", "value", 1.0, 2), (1, "b/0", "on", 0.0, 2)]
    );
    assert_eq!(reasons(&batches[0]), [(6, "column \"value\" is infinite or too large for a 64-bit float")]);
    assert_eq!(batches.iter().map(RawBatch::len).sum::<usize>(), 1_000 + 899);
    assert_eq!(importer.skipped_cells(), 100);
    let begun: Vec<_> =
        importer.life_events().iter().map(|life| (life.asset.to_string(), life.time.0 / 1_000_000)).collect();
    assert_eq!(begun, [("a/0".into(), -2), ("b/0".into(), -1), ("a/1".into(), 498), ("b/1".into(), 499)]);
}

/// The real data, where they are at hand.
fn data(name: &str) -> Option<PathBuf> {
    let folder = std::env::var("FOREWARN_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data").into());
    let path = PathBuf::from(folder).join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: there is no {}", path.display());
    None
}

#[test]
fn the_turbofans_of_nasa() {
    let Some(path) = data("cmapss/train_FD001.txt") else { return };
    let mapping = ImportMapping {
        columns: vec!["unit,cycle,setting1..3,s1..s21".into()],
        time_start: Some(Timestamp::parse("2026-01-01T00:00:00Z").unwrap()),
        time_step: Some("1h".into()),
        lives: Lives::Failed,
        ..mapping("cmapss/train/unit{unit}", "cycle")
    };
    let mut importer = open(&path, &mapping).unwrap();
    let batches = read_all(&mut importer, 5_000);
    assert_eq!((batches.len(), batches.iter().map(RawBatch::len).sum::<usize>()), (5, 20_631 * 24));
    assert_eq!((batches.iter().map(|batch| batch.rejected).sum::<u64>(), importer.skipped_cells()), (0, 0));
    let first = &batches[0];
    assert_eq!(
        (first.name_of(3), first.value[3], first.time[3]),
        (("cmapss/train/unit1", "s1"), 518.67, 1_767_229_200_000_000)
    );
    let events = importer.life_events();
    assert_eq!(events.len(), 200);
    // Unit 1 ran for 192 cycles.
    assert_eq!(
        (events[0].time.to_string(), events[1].time.since_us(events[0].time) / 3_600_000_000),
        ("2026-01-01T00:00:00Z".into(), 192)
    );
}

#[test]
fn the_machine_of_nab() {
    let Some(path) = data("nab/realKnownCause/machine_temperature_system_failure.csv") else { return };
    let mapping =
        ImportMapping { signals: vec!["value=temperature".into()], ..mapping("nab/machine", "timestamp") };
    let mut importer = open(&path, &mapping).unwrap();
    let batches = read_all(&mut importer, 100_000);
    assert_eq!((batches.len(), batches[0].len(), batches[0].rejected), (1, 22_695, 0));
    assert_eq!((batches[0].name_of(0), batches[0].value[0]), (("nab/machine", "temperature"), 73.967_322_07));
    assert_eq!(Timestamp(batches[0].time[0]).to_string(), "2013-12-02T21:15:00Z");
}

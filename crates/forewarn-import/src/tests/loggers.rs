//! Files as spreadsheets, databases and loggers write them: nothing is lost or misplaced without a word.

use std::fmt::Write as _;
use std::io::Write as _;

use arrow::array::{BinaryArray, Int64Array, UInt64Array};

use super::*;

/// Seconds and values of the readings, which must all be of one series.
fn values(batch: &RawBatch) -> Vec<(i64, f64)> {
    assert!(batch.names.len() <= 1, "{:?}", batch.names);
    batch.time.iter().zip(&batch.value).map(|(time, value)| (time / 1_000_000, *value)).collect()
}

fn of(time: &str) -> ImportMapping {
    mapping("p", time)
}

fn noted(importer: &Importer, words: &str) {
    assert!(importer.notes().iter().any(|note| note.contains(words)), "{words:?}: {:?}", importer.notes());
}

fn append(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).unwrap();
}

/// 2026-01-01, in seconds.
const DAY: i64 = 1_767_225_600;

#[test]
fn a_column_whose_first_cells_are_no_numbers_is_a_signal() {
    let mut content = String::from("time,temp,place\n");
    for row in 0..1_000 {
        let cell = if row < 400 { "Bad".to_owned() } else { row.to_string() };
        append(&mut content, format_args!("2026-01-01 {:02}:{:02}:00,{cell},hall\n", row / 60, row % 60));
    }
    let (importer, batch) = import(content.as_bytes(), "a.csv", &of("time"));
    assert_eq!((batch.len(), batch.rejected), (600, 400));
    assert_eq!(batch.errors[0].reason, "column \"temp\" is \"Bad\", not a number");
    noted(&importer, "column \"place\" holds no numbers and is left out");
    assert_eq!(importer.numbers_left_out(), 0);
    // A column of mostly texts is left out, and what it holds is told.
    let content = "time,a,serial\n2026-01-01,1,A1\n2026-01-02,2,B2\n2026-01-03,3,17\n";
    let (importer, batch) = import(content.as_bytes(), "a.csv", &of("time"));
    assert_eq!((batch.len(), importer.numbers_left_out()), (3, 1));
    noted(&importer, "column \"serial\" holds numbers in 1 of 3 cells and is left out");
}

#[test]
fn words_for_no_value_are_no_value() {
    let words =
        ["-", "--", "?", "n/a", "N/A", "NaN", "Null", "NULL", "none", "None", "#N/A", "nil", "\\N", "", "NA"];
    let rows = words.iter().map(|word| format!("2026-01-01,{word}\n")).collect::<Vec<_>>().concat();
    let (importer, batch) = import(format!("t,v\n{rows}2026-01-01,5\n").as_bytes(), "a.csv", &of("t"));
    assert_eq!((values(&batch), batch.rejected), (vec![(DAY, 5.0)], 0), "{:?}", batch.errors);
    assert_eq!(importer.skipped_cells(), words.len() as u64);
}

#[test]
fn decimal_commas_are_seen_and_said() {
    let content = "time;temp;flow\n2026-01-01 00:00:00;21,5;1.234,25\n2026-01-01 00:01:00;-3;1,5e3\n";
    let (importer, batch) = import(content.as_bytes(), "a.csv", &of("time"));
    assert_eq!(
        (batch.value.as_slice(), batch.errors.as_slice()),
        (&[21.5, 1_234.25, -3.0, 1_500.0][..], &[][..])
    );
    noted(&importer, "semicolons and decimal commas: reading it so; say --decimal . if not");
    let with = |decimal| ImportMapping { decimal: Some(decimal), ..of("time") };
    let point = ImportMapping { signals: vec!["temp".into(), "flow".into()], ..with('.') };
    let (importer, batch) = import(content.as_bytes(), "a.csv", &point);
    assert!(importer.notes().iter().all(|note| !note.contains("reading it so")), "{:?}", importer.notes());
    assert!(batch.value.iter().all(|value| *value == -3.0), "{:?}", batch.value);
    // Said, or in quotes between commas.
    let (_, batch) = import(b"time,temp\n2026-01-01,\"21,5\"\n", "a.csv", &with(','));
    assert_eq!(batch.value, [21.5]);
    // What could be thousands is not guessed, and a point is no fraction where a comma is.
    let (_, batch) =
        import(b"time,temp\n2026-01-01,\"1,234\"\n2026-01-02,7\n2026-01-03,8\n", "a.csv", &of("time"));
    assert_eq!((batch.value.as_slice(), batch.rejected), (&[7.0, 8.0][..], 1));
    let (_, batch) =
        import(b"time;temp\n2026-01-01;1.234\n2026-01-02;7,5\n2026-01-03;8\n", "a.csv", &with(','));
    assert_eq!((batch.value.as_slice(), batch.rejected), (&[7.5, 8.0][..], 1));
}

#[test]
fn the_hour_that_clocks_show_twice_is_told_by_the_order_of_rows() {
    let oslo = |asset: &str| ImportMapping { timezone: Some("Europe/Oslo".into()), ..mapping(asset, "t") };
    let show = |minutes: i64| format!("2026-10-25 {:02}:{:02}:00", minutes / 60, minutes % 60);
    // Every half hour from 1:30 to 3:00, and 2:00 to 2:59 twice: 0:00 UTC is the first 2:00.
    let shown = [90, 120, 150, 120, 150, 180].map(show);
    let expected: Vec<i64> = (-1..5).map(|half| 1_792_886_400 + half * 1_800).collect();
    let table = |order: &[usize]| {
        let rows = order.iter().map(|at| format!("{},{at}\n", shown[*at])).collect::<Vec<_>>().concat();
        format!("t,v\n{rows}")
    };
    let (_, batch) = import(table(&[0, 1, 2, 3, 4, 5]).as_bytes(), "a.csv", &oslo("p"));
    assert_eq!(values(&batch).iter().map(|(time, _)| *time).collect::<Vec<_>>(), expected);
    let (_, batch) = import(table(&[5, 4, 3, 2, 1, 0]).as_bytes(), "a.csv", &oslo("p"));
    let turned: Vec<i64> = expected.iter().rev().copied().collect();
    assert_eq!(values(&batch).iter().map(|(time, _)| *time).collect::<Vec<_>>(), turned);
    // Each asset, and in the long form each signal, has an order of its own.
    let rows = [1, 3]
        .iter()
        .map(|at| format!("{0},a,x,1\n{0},b,x,1\n{0},a,y,1\n", shown[*at]))
        .collect::<Vec<_>>()
        .concat();
    let long = ImportMapping { signal: Some("s".into()), value: Some("v".into()), ..oslo("{p}") };
    let (_, batch) = import(format!("t,p,s,v\n{rows}").as_bytes(), "a.csv", &long);
    let times: Vec<i64> = batch.time.iter().map(|time| time / 1_000_000).collect();
    assert_eq!(times, [expected[1], expected[1], expected[1], expected[3], expected[3], expected[3]]);
}

#[test]
fn line_ends_marks_and_packing_make_no_difference() {
    let plain = "t,v\n2026-01-01,1\n2026-01-02,2\n";
    let expected = vec![(DAY, 1.0), (DAY + 86_400, 2.0)];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(plain.as_bytes()).unwrap();
    for content in [
        plain.as_bytes().to_vec(),
        plain.replace('\n', "\r").into_bytes(),
        plain.replace('\n', "\r\n").into_bytes(),
        format!("\u{feff}{plain}").into_bytes(),
        format!("\u{feff}{}", plain.replace(',', " ")).into_bytes(),
        plain.replace(',', " ").replace('\n', "\r").into_bytes(),
        plain.replace(',', "|").into_bytes(),
        gzip.finish().unwrap(),
        zstd::encode_all(plain.as_bytes(), 0).unwrap(),
    ] {
        let (_, batch) = import(&content, "a.dat", &of("t"));
        assert_eq!((values(&batch), batch.rejected), (expected.clone(), 0), "{content:?}");
    }
    let utf16: Vec<u8> = "\u{feff}t,v\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (_folder, path) = file("a.csv", &utf16);
    assert!(open(&path, &of("t")).err().unwrap().to_string().contains("save it as UTF-8"));
}

#[test]
fn a_quote_that_is_never_closed_costs_its_line_alone() {
    let mut content = String::from("t,v,remark\n2026-01-01,1,\"open\n");
    for day in 2..=28 {
        let remark = if day == 20 { "\"said \"\"so\"\"\"" } else { "fine" };
        append(&mut content, format_args!("2026-01-{day:02},{day},{remark}\n"));
    }
    let (_, batch) = import(content.as_bytes(), "a.csv", &of("t"));
    assert_eq!(batch.value, (2..=28).map(f64::from).collect::<Vec<_>>());
    let reason = "a quote is opened and never closed; close it, or write two for one";
    assert_eq!(reasons(&batch), [(2, reason)]);
    // What is closed on another line is one cell, and an inch is no quote.
    let content = "t,remark,v\n2026-01-01,\"a\nb,7\",1\n2026-01-02,5\",2\n2026-01-03,\"x\"y,3\n";
    let (_, batch) = import(content.as_bytes(), "a.csv", &of("t"));
    assert_eq!((batch.value.as_slice(), batch.line.as_slice()), (&[1.0, 2.0][..], &[2, 4][..]));
    assert_eq!((batch.rejected, batch.errors[0].line), (1, 5));
}

#[test]
fn names_of_columns_may_hold_anything() {
    let content = "t,\"flow, in\",a=b,s1..s3,x\n2026-01-01,1,2,3,4\n";
    for signals in [vec![], vec!["flow, in".to_owned(), "a=b".into(), "s1..s3".into(), "x".into()]] {
        let (_, batch) = import(content.as_bytes(), "a.csv", &ImportMapping { signals, ..of("t") });
        let names: Vec<&str> = batch.names.iter().map(|(_, signal)| &**signal).collect();
        assert_eq!(
            (names, batch.value.as_slice()),
            (vec!["flow__in", "a_b", "s1..s3", "x"], &[1.0, 2.0, 3.0, 4.0][..])
        );
    }
    let signals = vec!["flow, in=flow".to_owned(), "a=b=c".into(), "s1..s3=s,x=y".into()];
    let (_, batch) = import(content.as_bytes(), "a.csv", &ImportMapping { signals, ..of("t") });
    let names: Vec<&str> = batch.names.iter().map(|(_, signal)| &**signal).collect();
    assert_eq!(names, ["flow", "c", "s", "y"]);
    let twice = "t,p,p,v\n2026-01-01,a,b,1\n";
    assert!(problem(twice, &mapping("{p}", "t")).starts_with("there are two columns \"p\""));
    // The same path of other cells is another asset.
    let content = "t,a,b,v\n2026-01-01,x/y,z,1\n2026-01-01,x,y/z,2\n2026-01-02,x/y,z,3\n2026-01-02,x,y,4\n";
    let (_, batch) = import(content.as_bytes(), "a.csv", &mapping("{a}/{b}", "t"));
    assert_eq!((batch.value.as_slice(), batch.rejected), (&[1.0, 3.0, 4.0][..], 1));
    assert!(
        batch.errors[0].reason.starts_with("the asset \"x/y/z\" is made of other cells"),
        "{:?}",
        batch.errors
    );
    // Two names of one column in the long form stay two.
    let long = ImportMapping { signal: Some("s".into()), value: Some("v".into()), ..of("t") };
    let content = "t,s,v\n2026-01-01,flow rate,1\n2026-01-01,flow_rate,2\n2026-01-02,flow rate,3\n";
    let (_, batch) = import(content.as_bytes(), "a.csv", &long);
    assert_eq!(batch.value, [1.0, 3.0]);
    let reason =
        "the signals \"flow rate\" and \"flow_rate\" would both be \"flow_rate\"; rename one in the file";
    assert_eq!(reasons(&batch), [(3, reason)]);
}

#[test]
fn what_is_no_table_is_passed_over_and_said() {
    let rows = "time;temp;flow\ns;°C;l/min\n2026-01-01 00:00:00;1;2\n2026-01-01 00:01:00;3;4\n\
                time;temp;flow\n2026-01-01 00:02:00;5;6\n";
    let expected = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let (importer, batch) = import(rows.as_bytes(), "a.csv", &of("time"));
    assert_eq!((batch.value.as_slice(), batch.rejected), (&expected[..], 0), "{:?}", batch.errors);
    noted(&importer, "line 2 holds no time and no number and is passed over");
    noted(&importer, "the header stands 1 more times among the rows");
    let before = format!("Logger 7, hall 3\nserial: 123\n\n{rows}");
    let (importer, batch) = import(before.as_bytes(), "a.csv", &of("time"));
    assert_eq!((batch.value.as_slice(), batch.line[0]), (&expected[..], 6));
    noted(&importer, "the first 3 lines are no table");
    let said = ImportMapping { skip: Some(3), ..of("time") };
    let (importer, batch) = import(before.as_bytes(), "a.csv", &said);
    assert_eq!(batch.value, expected);
    assert!(importer.notes().iter().all(|note| !note.contains("no table")), "{:?}", importer.notes());
    let commented = format!("# a comment, with commas, and more\n{rows}");
    let (importer, batch) = import(commented.as_bytes(), "a.csv", &of("time"));
    assert_eq!(batch.value, expected);
    noted(&importer, "lines that begin with # are passed over");
    let said = ImportMapping { comment: Some("//".into()), ..of("time") };
    let (_, batch) = import(format!("// off\n{rows}// end\n").as_bytes(), "a.csv", &said);
    assert_eq!((batch.value.as_slice(), batch.rejected), (&expected[..], 0));
}

#[test]
fn times_as_databases_spreadsheets_and_loggers_write_them() {
    const NOON: i64 = 1_782_907_200_000_000;
    let oslo = |format: Option<&str>| ImportMapping {
        timezone: Some("Europe/Oslo".into()),
        time_format: format.map(str::to_owned),
        ..of("t")
    };
    for (text, format, us) in [
        ("2026-07-01 12:00:00+00", None, NOON),
        ("2026-07-01 14:00:00.5+02", None, NOON + 500_000),
        ("2026-07-01 17:30:00+0530", None, NOON),
        ("2026-07-01 17:30:00.000001 +05:30", None, NOON + 1),
        ("2026-07-01 12:00:00 UTC", None, NOON),
        ("2026-07-01 12:00Z", None, NOON),
        ("2026-07-01 14:00:00.25", None, NOON + 250_000),
        ("2026-07-01 14:00:00,250", None, NOON + 250_000),
        ("2026/07/01 14:00:00", None, NOON),
        ("01.07.2026 14:00", None, NOON),
        ("1.7.2026 14:00:00", None, NOON),
        ("20260701T140000", None, NOON),
        ("20260701T120000Z", None, NOON),
        ("7/1/2026 2:00 PM", Some("%m/%d/%Y %I:%M %p"), NOON),
        ("01/07/2026 14:00", Some("%d/%m/%Y %H:%M"), NOON),
        ("Jul 1 2026 14:00:00", Some("%b %d %Y %H:%M:%S"), NOON),
        ("2026-07-01 14:00:00 +0200", Some("%Y-%m-%d %H:%M:%S %z"), NOON),
        ("07/07/2026 2:00:00 PM", None, NOON + 6 * 86_400_000_000),
    ] {
        let (_, batch) = import(format!("t;v\n{text};1\n").as_bytes(), "a.csv", &oslo(format));
        assert_eq!((batch.time.as_slice(), batch.errors.as_slice()), (&[us][..], &[][..]), "{text}");
    }
    // Day or month: another row may tell, and if none does it is not guessed.
    let (importer, batch) = import(b"t,v\n1/7/2026 14:00,1\n13/7/2026 14:00,2\n", "a.csv", &oslo(None));
    assert_eq!(batch.time, [NOON, NOON + 12 * 86_400_000_000]);
    noted(&importer, "dates begin with the day");
    let (importer, batch) = import(b"t,v\n7/1/2026 14:00,1\n7/13/2026 14:00,2\n", "a.csv", &oslo(None));
    assert_eq!(batch.time, [NOON, NOON + 12 * 86_400_000_000]);
    noted(&importer, "dates begin with the month");
    let (_, batch) = import(b"t,v\n7/1/2026 14:00,1\n", "a.csv", &oslo(None));
    assert!(batch.errors[0].reason.contains("give time_format, such as %d/%m/%Y"), "{:?}", batch.errors);
    let (_, batch) = import(b"t,v\n31.02.2026 14:00,1\n25:00,1\n2026-07-01 24:30,1\n", "a.csv", &oslo(None));
    assert_eq!((batch.len(), batch.rejected), (0, 3));
    let parts = ImportMapping { time_columns: vec!["date".into(), "clock".into()], ..oslo(None) };
    let parts = ImportMapping { time: String::new(), ..parts };
    let (_, batch) = import(b"date,clock,v\n2026-07-01,14:00:00,1\n01.07.2026,14:00,2\n", "a.csv", &parts);
    assert_eq!((batch.time.as_slice(), batch.value.as_slice()), (&[NOON, NOON][..], &[1.0, 2.0][..]));
}

#[test]
fn the_unit_of_times_is_seen_and_said() {
    for (scale, option) in [(1, "s"), (1_000, "ms"), (1_000_000, "us"), (1_000_000_000, "ns")] {
        let content = format!("t,v\n{},1\n{},2\n", DAY * scale, (DAY + 60) * scale);
        let (importer, batch) = import(content.as_bytes(), "a.csv", &of("t"));
        assert_eq!(values(&batch), [(DAY, 1.0), (DAY + 60, 2.0)], "{option}");
        noted(&importer, &format!("in the unit {option}: reading them so; say --time-unit if not"));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.parquet");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("t", Arc::new(Int64Array::from(vec![DAY * 1_000, (DAY + 60) * 1_000]))),
        ("v", Arc::new(Float64Array::from(vec![1.0, 2.0]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let mut importer = open(&path, &of("t")).unwrap();
    assert_eq!(values(&read_all(&mut importer, 10)[0]), [(DAY, 1.0), (DAY + 60, 2.0)]);
    noted(&importer, "in the unit ms");
    // Numbers that may be anything are refused, and so is a column of two kinds.
    for content in ["t,v\n1,1\n2,1\n", "t,v\n46000.5,1\n", "t,v\n1767225600,1\n7,1\n"] {
        let (_, batch) = import(content.as_bytes(), "a.csv", &of("t"));
        assert!(batch.is_empty() && batch.errors[0].reason.contains("give time_unit"), "{content}");
    }
    let excel =
        ImportMapping { time_unit: Some(TimeUnit::Excel), timezone: Some("Europe/Oslo".into()), ..of("t") };
    let (_, batch) = import(b"t,v\n46023.0416666667,1\n", "a.csv", &excel);
    assert_eq!(values(&batch), [(DAY, 1.0)]);
}

#[test]
fn parquet_of_other_writers_keeps_texts_and_digits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.parquet");
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("t", Arc::new(TimestampMillisecondArray::from(vec![DAY * 1_000; 3]))),
        ("name", Arc::new(BinaryArray::from(vec![&b"a"[..], "ü".as_bytes(), b"c"]))),
        ("count", Arc::new(UInt64Array::from(vec![u64::MAX, 1 << 53, (1 << 53) + 1]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let mut importer = open(&path, &mapping("{name}", "t")).unwrap();
    let batch = &read_all(&mut importer, 10)[0];
    assert_eq!(rows(batch), [(DAY, "ü", "count", 9_007_199_254_740_992.0, 2)]);
    assert_eq!(batch.errors.iter().map(|error| error.line).collect::<Vec<_>>(), [1, 3]);
    assert!(
        batch.errors[0].reason.contains("18446744073709551615, which has more digits"),
        "{:?}",
        batch.errors
    );
}

//! When the branch commits, and what it does while it cannot.

use super::*;

#[tokio::test]
async fn commits_come_by_rows_and_by_the_clock() {
    let plant = Plant::new();
    let options = LakeOptions { commit_rows: 3, ..plant.options() };
    let running = plant.run(plant.open(options).await);
    plant.push(&[("p1", "t", 0, 0.0), ("p1", "t", 1, 1.0), ("p1", "t", 2, 2.0)]);
    while plant.log.checkpoints.lock().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(*plant.log.checkpoints.lock(), [Offset(1)]);
    plant.push(&[("p1", "t", 3, 3.0)]);
    check_unique(&running, 4).await;
    assert_eq!(plant.log.checkpoints.lock().len(), 1, "one row waits for the clock");
    plant.clock.set(Timestamp(NEW_YEAR + 60_000_000));
    while plant.log.checkpoints.lock().len() < 2 {
        tokio::task::yield_now().await;
    }
    check_unique(&running, 4).await;
    running.shut_down().await;
}

#[tokio::test]
async fn commits_come_by_bytes_and_a_tail_of_too_many_bytes_reads_no_further() {
    let plant = Plant::new();
    let running = plant.run(plant.open(LakeOptions { commit_bytes: 2_000, ..plant.options() }).await);
    plant.log.push(life_event("p1"));
    assert_eq!(running.int("SELECT count(*) FROM life_events").await, 1);
    assert!((400..500).contains(&running.lake.tail_bytes()), "{}", running.lake.tail_bytes());
    assert!(plant.log.checkpoints.lock().is_empty(), "one small row waits");
    plant.log.push(Record::LifeEvent(LifeEvent {
        asset: "p2".into(),
        event: LifeEventKind::Failed,
        time: Timestamp(NEW_YEAR),
        actor: None,
        comment: Some("x".repeat(2_000)),
        corrects: None,
    }));
    while plant.log.checkpoints.lock().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(*plant.log.checkpoints.lock(), [Offset(2)]);
    running.shut_down().await;

    let plant = Plant::new();
    let running = plant.run(plant.open(LakeOptions { tail_max_bytes: 300, ..plant.options() }).await);
    running.lake.flush().await.unwrap();
    let (folder, away) = (plant.folder.path().join("readings"), plant.folder.path().join("_away"));
    std::fs::rename(&folder, &away).unwrap();
    std::fs::write(&folder, "not a folder").unwrap();
    plant.push(&[("p1", "t", 0, 0.0)]);
    running.lake.wait_applied(plant.log.end()).await.unwrap();
    plant.push(&[("p1", "t", 1, 1.0)]);
    let error = running.lake.wait_applied(plant.log.end()).await.unwrap_err();
    assert!(error.to_string().contains("the store has failed since"), "{error}");
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&away, &folder).unwrap();
    while running.sql(COUNT).await.is_err() {
        tokio::task::yield_now().await;
    }
    check_unique(&running, 2).await;
    running.shut_down().await;
}

#[tokio::test]
async fn a_round_that_would_write_a_large_file_writes_several() {
    let plant = Plant::new();
    let running = plant.run(plant.open(LakeOptions { file_bytes: 12_000, ..plant.options() }).await);
    let rows: Vec<_> = (0..4_000_i32).map(|i| ("p1", "t", i64::from(i), f64::from(i).sqrt())).collect();
    plant.push(&rows);
    running.lake.flush().await.unwrap();
    check_unique(&running, 4_000).await;
    let files = running.lake.reader.view.read().tables[READINGS].files.clone();
    assert!(files.len() >= 3, "{}", files.len());
    assert!(
        files.iter().all(|file| file.size_bytes < 18_000),
        "{:?}",
        files.iter().map(|file| file.size_bytes).collect::<Vec<_>>()
    );
    running.shut_down().await;
}

#[tokio::test]
async fn times_out_of_all_reason_do_not_stop_the_branch() {
    let plant = Plant::new();
    let running = plant.start().await;
    plant.push(&[("p1", "t", i64::MIN + 1, 0.0), ("p1", "t", i64::MAX - NEW_YEAR, 1.0), ("p1", "t", 0, 2.0)]);
    running.lake.flush().await.unwrap();
    check_unique(&running, 3).await;
    assert_eq!(running.int("SELECT count(*) FROM readings WHERE date = '2026-01-01'").await, 1);
    running.shut_down().await;
    let again = plant.start().await;
    check_unique(&again, 3).await;
    again.shut_down().await;
}

#[tokio::test]
async fn a_store_that_fails_for_a_while_loses_nothing() {
    let plant = Plant::new();
    let running = plant.start().await;
    plant.push(&[("p1", "t", 0, 0.0)]);
    running.lake.flush().await.unwrap();
    let (folder, away) = (plant.folder.path().join("readings"), plant.folder.path().join("_away"));
    std::fs::rename(&folder, &away).unwrap();
    std::fs::write(&folder, "not a folder").unwrap();
    plant.push(&[("p1", "t", 1, 1.0)]);
    let error = running.lake.flush().await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&away, &folder).unwrap();
    check_unique(&running, 2).await;
    running.lake.flush().await.unwrap();
    assert_eq!(running.lake.tail_rows(), 0);
    check_unique(&running, 2).await;
    running.shut_down().await;
}

#[tokio::test]
async fn a_checkpoint_that_fails_does_not_end_the_branch() {
    let plant = Plant::new();
    let running = plant.start().await;
    plant.log.full.store(true, std::sync::atomic::Ordering::Relaxed);
    plant.push(&[("p1", "t", 0, 0.0)]);
    running.lake.flush().await.unwrap();
    assert!(plant.log.checkpoints.lock().is_empty());
    plant.log.full.store(false, std::sync::atomic::Ordering::Relaxed);
    plant.push(&[("p1", "t", 1, 1.0)]);
    running.lake.flush().await.unwrap();
    assert_eq!(*plant.log.checkpoints.lock(), [Offset(2)]);
    check_unique(&running, 2).await;
    running.shut_down().await;
}

#[tokio::test]
async fn queries_are_told_at_once_that_the_store_fails_and_the_tail_is_full() {
    let plant = Plant::new();
    let running = plant.run(plant.open(LakeOptions { tail_max_rows: 2, ..plant.options() }).await);
    running.lake.flush().await.unwrap();
    let (folder, away) = (plant.folder.path().join("readings"), plant.folder.path().join("_away"));
    std::fs::rename(&folder, &away).unwrap();
    std::fs::write(&folder, "not a folder").unwrap();
    plant.push(&[("p1", "t", 0, 0.0), ("p1", "t", 1, 1.0)]);
    assert_eq!(running.int(COUNT).await, 2, "the tail itself can be read");
    plant.push(&[("p1", "t", 2, 2.0)]);
    let error = running.sql(COUNT).await.unwrap_err();
    assert!(
        error.is_retryable()
            && error.to_string().contains("the lake is behind: the store has failed since 2026-01-01"),
        "{error}"
    );
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&away, &folder).unwrap();
    while running.sql(COUNT).await.is_err() {
        tokio::task::yield_now().await;
    }
    check_unique(&running, 3).await;
    running.shut_down().await;
}

#[tokio::test]
async fn a_store_that_hangs_does_not_hold_up_the_end() {
    let plant = Plant::new();
    let lake = plant.open(plant.options()).await;
    let mut branch = Branch::build(
        lake.clone(),
        Arc::clone(&plant.log) as Arc<dyn Log>,
        Arc::clone(&plant.clock) as Arc<dyn Clock>,
    );
    branch.finish_within = Duration::ZERO;
    let stop = CancellationToken::new();
    let task = tokio::spawn(branch.run(stop.clone()));
    plant.push(&[("p1", "t", 0, 0.0)]);
    lake.wait_applied(plant.log.end()).await.unwrap();
    let writer = lake.writer.tables.get(READINGS).unwrap();
    let (held, is_held) = tokio::sync::oneshot::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let holder = std::thread::spawn(move || {
        let _table = writer.lock();
        held.send(()).unwrap();
        let _ = released.recv();
    });
    is_held.await.unwrap();
    stop.cancel();
    let error = task.await.unwrap().unwrap_err();
    assert!(
        error.is_retryable() && error.to_string().contains("are committed after the next start"),
        "{error}"
    );
    drop(release);
    holder.join().unwrap();
}

#[tokio::test]
async fn a_table_that_cannot_be_written_does_not_hold_up_the_others() {
    let plant = Plant::new();
    let running = plant.start().await;
    plant.push(&[("p1", "t", 0, 0.0)]);
    plant.log.push(life_event("p1"));
    let (folder, away) = (plant.folder.path().join("life_events"), plant.folder.path().join("_away"));
    std::fs::rename(&folder, &away).unwrap();
    std::fs::write(&folder, "not a folder").unwrap();
    let error = running.lake.flush().await.unwrap_err();
    assert!(error.to_string().contains("life_events"), "{error}");
    let failures = running.lake.failures();
    assert_eq!((failures.len(), failures[0].table.as_str()), (1, "life_events"), "{failures:?}");
    assert_eq!(failures[0].since, Timestamp(NEW_YEAR));
    assert!(
        plant.folder.path().join("readings/_delta_log/00000000000000000001.json").exists(),
        "readings are committed"
    );
    assert!(plant.log.checkpoints.lock().is_empty(), "the log keeps what is missing");
    check_unique(&running, 1).await;
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&away, &folder).unwrap();
    running.lake.flush().await.unwrap();
    check_unique(&running, 1).await;
    assert_eq!(running.int("SELECT count(*) FROM life_events").await, 1);
    assert_eq!(running.lake.failures(), []);
    running.shut_down().await;
}

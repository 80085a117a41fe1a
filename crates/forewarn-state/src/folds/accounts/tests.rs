//! Accounts follow the log, survive a snapshot, and never go back.

use forewarn_types::TokenLimits;

use super::*;

fn set(user: &str, role: Role, password: Option<&str>) -> AccountChange {
    AccountChange::UserSet {
        user: user.into(),
        role,
        assets: vec!["plant1/**".into()],
        password: password.map(|text| SecretHash::new(text.into())),
    }
}

fn token(id: &str) -> AccountChange {
    AccountChange::TokenMade {
        token: ApiToken {
            id: id.into(),
            name: "gateway".into(),
            hash: SecretHash::new(format!("hash of {id}")),
            role: Role::Ingest,
            assets: Vec::new(),
            expires: Some(Timestamp(9)),
            limits: TokenLimits { requests_per_s: Some(2.5), rows_per_s: None, streams: Some(1) },
        },
    }
}

fn logged(changes: Vec<AccountChange>) -> Vec<Logged> {
    let records = changes.into_iter().zip(0..).map(|(change, offset)| {
        let account = Account { change, actor: Some("anna".into()), time: Timestamp(7) };
        (Offset(offset), Arc::new(Record::Account(account)))
    });
    records.collect()
}

#[test]
fn users_and_tokens_follow_the_log_and_survive_a_snapshot() {
    let accounts = Accounts::default();
    let mut fold = AccountsFold::new(accounts.clone());
    fold.apply(&logged(vec![
        set("anna", Role::Administrator, Some("a")),
        set("bert", Role::Viewer, Some("b")),
        token("t1"),
        token("t2"),
        AccountChange::TokenUsed { token: "t2".into() },
        AccountChange::TokenRevoked { token: "t1".into() },
        set("bert", Role::Operator, None),
        AccountChange::UserRemoved { user: "nobody".into() },
    ]));
    assert_eq!(accounts.administrators(), 1);
    let bert = accounts.user("bert").unwrap();
    assert_eq!((bert.role, bert.password_set), (Role::Operator, Offset(1)), "the password stays");
    assert_eq!(accounts.token_of_hash("hash of t1"), None);
    assert_eq!(accounts.token_of_hash("hash of t2").unwrap().used, Some(Timestamp(7)));

    let Ok(Part::Ready(bytes)) = fold.snapshot() else { panic!("no snapshot") };
    let again = Accounts::default();
    AccountsFold::new(again.clone()).restore(&bytes).unwrap();
    assert_eq!(*again.0.read(), *accounts.0.read());
    assert!(again.token_of_hash("hash of t2").is_some());
}

#[test]
fn what_is_revoked_does_not_come_back_while_the_log_is_read_again() {
    let accounts = Accounts::default();
    let mut fold = AccountsFold::new(accounts.clone());
    let records = logged(vec![token("t1"), AccountChange::TokenRevoked { token: "t1".into() }]);
    fold.preview(&records).unwrap();
    assert_eq!(accounts.tokens().len(), 0);
    fold.apply(&records[..1]);
    assert_eq!(accounts.tokens().len(), 0, "the second record was taken in before");
}

#[test]
fn a_hash_is_not_printed() {
    let [(_, record), ..] = &logged(vec![set("anna", Role::Viewer, Some("argon-hash"))])[..] else {
        panic!("one record")
    };
    assert!(!format!("{record:?}").contains("argon-hash"));
}

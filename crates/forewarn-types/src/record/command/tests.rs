//! Which action each state allows.

use super::*;

/// Each action with the states that allow it, and what the other states answer.
#[test]
fn each_state_allows_what_can_have_an_effect() {
    use AlertState::{
        Acknowledged, Normal, OutOfService, Pending, Returned, Shelved, Suppressed, Unacknowledged,
    };
    const STATES: [AlertState; 8] =
        [Pending, Unacknowledged, Acknowledged, Returned, Normal, Shelved, Suppressed, OutOfService];
    let check = |action: CommandAction, expected: [&str; 8]| {
        let answer = |state: AlertState| match state.allows(&action) {
            Ok(()) => "yes".to_owned(),
            Err(problem) => problem.to_string(),
        };
        assert_eq!(STATES.map(answer), expected, "{}", action.as_str());
    };
    let (early, over) = ("the alert is not raised yet", "the alert is over");
    let again = "the alert has been acknowledged already";
    let shown = "the alert is not shelved";
    check(CommandAction::Acknowledge, [early, "yes", again, "yes", over, "yes", "yes", "yes"]);
    let shelve = CommandAction::Shelve { until: Timestamp(0) };
    check(shelve, [early, "yes", "yes", "yes", over, "yes", "yes", "yes"]);
    check(CommandAction::Unshelve, [shown, shown, shown, shown, shown, "yes", shown, shown]);
    check(CommandAction::Comment, ["yes"; 8]);
}

//! What operators' commands do to open alerts. In which state they may do it stands once, in
//! [`AlertState::allows`](forewarn_types::AlertState::allows).

use std::fmt::Write as _;

use forewarn_types::{AlertId, AlertState, CommandAction, Evidence, OperatorCommand, Timestamp, Transition};

use super::{Alert, Alerts, TransitionWriter, Words};

/// Most alerts that may be shelved at once, those that are over included.
const MAX_SHELVED: usize = 10_000;

impl Alerts {
    /// Carries out an operator's command.
    ///
    /// # Errors
    /// A sentence for the operator, if the command can have no effect.
    pub(crate) fn command(
        &mut self,
        command: &OperatorCommand,
        bound: usize,
        writer: &mut TransitionWriter<'_>,
    ) -> Result<(), String> {
        let OperatorCommand { alert: id, action, actor, .. } = command;
        let no_effect = |why: &dyn std::fmt::Display| {
            format!("the action {} of {actor} has no effect on alert {id}: {why}", action.as_str())
        };
        let Some(key) = self.by_id.get(id).copied() else {
            // An alert that is over can still have a shelf, which waits for its next occurrence.
            if *action == CommandAction::Unshelve && self.clear_shelf(*id) {
                return Ok(());
            }
            return Err(no_effect(&"it is not open"));
        };
        let shelf_is_full = self.shelved + self.shelves.len() >= MAX_SHELVED;
        let Some(alert) = self.open.get_mut(&key) else { return Ok(()) };
        let was_shelved = alert.shelved_until.is_some();
        let had_returned = alert.state == AlertState::Returned;
        let transition = match alert.carry_out(action, command.time, shelf_is_full) {
            Ok(transition) => transition,
            // Another operator was faster: the comment of this one is kept all the same.
            Err(_)
                if *action == CommandAction::Acknowledge
                    && alert.state == AlertState::Acknowledged
                    && command.comment.is_some() =>
            {
                Transition::Commented
            }
            Err(why) => return Err(no_effect(&why)),
        };
        match (was_shelved, alert.shelved_until.is_some()) {
            (false, true) => self.shelved += 1,
            (true, false) => self.shelved -= 1,
            _ => {}
        }
        alert.acted = alert.acted.max(command.time);
        let alert = alert.clone();
        writer.write(key, &alert, transition, command.time, words(command, transition, &alert));
        if transition == Transition::Acknowledged && had_returned {
            let over = Alert { state: AlertState::Normal, ..alert };
            let words = Words {
                message: "acknowledged after its condition had ended: over".to_owned(),
                actor: Some(actor.clone()),
                ..Words::default()
            };
            writer.write(key, &over, Transition::Normal, command.time, words);
            self.remove(key);
            self.raise_refused(key.0, bound, writer);
        }
        Ok(())
    }

    /// Takes the shelf away from an alert that is over. Says whether there was one.
    fn clear_shelf(&mut self, alert: AlertId) -> bool {
        let before = self.shelves.len();
        self.shelves.retain(|_, (id, _)| *id != alert);
        self.shelves.len() < before
    }
}

impl Alert {
    /// Does `action` to the alert at `now`, if its state allows it.
    ///
    /// # Errors
    /// Why it cannot be done.
    fn carry_out(
        &mut self,
        action: &CommandAction,
        now: Timestamp,
        shelf_is_full: bool,
    ) -> Result<Transition, String> {
        self.shown().allows(action).map_err(|why| why.to_string())?;
        match action {
            CommandAction::Acknowledge => {
                // A shelf hides the state that decides.
                self.state.allows(action).map_err(|why| why.to_string())?;
                self.state = AlertState::Acknowledged;
                Ok(Transition::Acknowledged)
            }
            CommandAction::Shelve { until } if *until <= now => {
                Err(format!("the end of the shelf, {until}, has passed"))
            }
            CommandAction::Shelve { .. } if shelf_is_full && self.shelved_until.is_none() => {
                Err(format!("{MAX_SHELVED} alerts are shelved, the most allowed"))
            }
            CommandAction::Shelve { until } => {
                self.shelved_until = Some(*until);
                Ok(Transition::Shelved)
            }
            CommandAction::Unshelve => {
                self.shelved_until = None;
                Ok(Transition::Unshelved)
            }
            CommandAction::Comment | CommandAction::Assign { .. } => Ok(Transition::Commented),
        }
    }
}

/// What the transition says of the command.
fn words(command: &OperatorCommand, transition: Transition, alert: &Alert) -> Words {
    let mut message = match &command.action {
        CommandAction::Assign { to: Some(to) } => format!("assigned to {to} by {}", command.actor),
        CommandAction::Assign { to: None } => format!("assigned to no one by {}", command.actor),
        _ => format!("{} by {}", transition.as_str(), command.actor),
    };
    if let CommandAction::Shelve { until } = command.action {
        let _ = write!(message, " until {until}");
    }
    if let Some(reason) = &command.reason {
        let _ = write!(message, " ({reason})");
    }
    Words {
        message,
        actor: Some(command.actor.clone()),
        comment: command.comment.clone(),
        evidence: Evidence {
            rule_version: String::new(),
            from: alert.started,
            to: alert.time,
            values: Vec::new(),
        },
        ..Words::default()
    }
}

//! Whether the contacts that routes name are there: pipelines and the server's settings, held against each
//! other.

use forewarn_types::did_you_mean;

use super::pipeline::RawPipeline;
use crate::diagnostics::{Diagnostics, Report};
use crate::model::{Destination, NotifyConfig};
use crate::yaml::read::Document;

/// Checks that every contact that a route of `pipelines`, given as `(path, text)`, or a rotation names is one
/// of the settings, which stand in the file `settings`. What cannot be read of a file is passed over;
/// [`load_definitions`](crate::load_definitions) says why.
#[must_use]
pub fn check_contacts(pipelines: &[(String, String)], settings: &str, notify: &NotifyConfig) -> Diagnostics {
    let mut report = Report::new(settings, "");
    for problem in faults(notify) {
        report.whole_file(problem);
    }
    let mut found = report.found;
    for (path, text) in pipelines {
        let mut elsewhere = Report::new(path, text);
        let raw =
            Document::parse(text, &mut elsewhere).and_then(|read| read.read::<RawPipeline>(&mut elsewhere));
        let mut report = Report::new(path, text);
        for name in raw.iter().flat_map(RawPipeline::contacts) {
            if notify.contact(&name.value).is_none() {
                let names = notify.contacts.iter().map(|contact| contact.name.as_str());
                let hint = did_you_mean(&name.value, names).map_or_else(
                    || {
                        format!(
                            "give it in {settings}: contacts: {{ {}: {{ webhook: \"http://…\" }} }}",
                            name.value
                        )
                    },
                    |name| format!("did you mean '{name}'?"),
                );
                report.on(name, format!("there is no contact '{}'", name.value), Some(hint));
            }
        }
        found.append(&mut report.found);
    }
    Diagnostics::sorted(found)
}

/// What contacts lack that stands elsewhere in the settings.
fn faults(notify: &NotifyConfig) -> Vec<String> {
    let mut faults = Vec::new();
    for contact in &notify.contacts {
        match &contact.destination {
            Destination::Email(_) if notify.smtp.is_none() => faults.push(format!(
                "the contact '{}' is reached by e-mail, and there is no mail server: give channels: {{ smtp: \
                 {{ url: \"smtps://…\", from: … }} }}",
                contact.name
            )),
            Destination::Rotation(rotation) => {
                for name in &rotation.contacts {
                    let problem = match notify.contact(name).map(|one| &one.destination) {
                        None => "which is not there",
                        Some(Destination::Rotation(_)) => "which is a rotation itself",
                        Some(_) => continue,
                    };
                    faults.push(format!("the rotation '{}' names '{name}', {problem}", contact.name));
                }
            }
            _ => {}
        }
    }
    faults
}

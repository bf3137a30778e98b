//! Progress: on a terminal one live line a resource, elsewhere one plain line an event.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::kind::{Action, Kind};
use crate::progress::Event;

const TICK: Duration = Duration::from_millis(100);

/// One live line for each resource that is worked on, and one for work outside AWS.
pub(super) struct Live {
    lines: MultiProgress,
    bars: Mutex<HashMap<Option<Kind>, ProgressBar>>,
}

impl Live {
    pub(super) fn new() -> Self {
        Self { lines: MultiProgress::new(), bars: Mutex::default() }
    }

    pub(super) fn suspend(&self, print: impl FnOnce()) {
        self.lines.suspend(print);
    }

    /// Takes away the live lines; new ones come with the next event.
    pub(super) fn finish(&self) {
        for (_, bar) in self.bars().drain() {
            self.take_away(&bar);
        }
    }

    pub(super) fn event(&self, event: &Event) {
        match event {
            Event::Secret(_) | Event::Call { .. } | Event::Finished { action: Action::Keep, .. } => {}
            Event::Working(what) => self.bar(None, what.clone()).set_message(""),
            Event::Started { kind, name } => self.bar(Some(*kind), prefix(*kind, name)).set_message(""),
            Event::Waiting { kind, name, what } => {
                self.bar(Some(*kind), prefix(*kind, name)).set_message(format!("waiting for {what}"));
            }
            Event::Finished { kind, name, action, elapsed } => {
                self.leave(*kind, &finished(*kind, name, *action, *elapsed));
            }
            Event::Failed { kind, name } => self.leave(*kind, &failed(*kind, name)),
            Event::Stopped { kind, name } => self.leave(*kind, &stopped(*kind, name)),
        }
    }

    /// Puts what became of a resource above the live lines, for good.
    fn leave(&self, kind: Kind, line: &str) {
        if let Some(bar) = self.bars().remove(&Some(kind)) {
            self.take_away(&bar);
        }
        // A terminal that went away is no reason to stop.
        let _ = self.lines.println(line);
    }

    fn take_away(&self, bar: &ProgressBar) {
        bar.finish_and_clear();
        self.lines.remove(bar);
    }

    fn bar(&self, kind: Option<Kind>, prefix: String) -> ProgressBar {
        let mut bars = self.bars();
        if kind.is_some() {
            // Work outside AWS comes before; its line is done with.
            if let Some(working) = bars.remove(&None) {
                self.take_away(&working);
            }
        }
        let bar = bars.entry(kind).or_insert_with(|| {
            let style = ProgressStyle::with_template("{spinner:.cyan} {prefix} {msg} {elapsed:.dim}");
            let bar = self.lines.add(ProgressBar::new_spinner());
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(TICK);
            bar
        });
        bar.set_prefix(prefix);
        bar.clone()
    }

    fn bars(&self) -> MutexGuard<'_, HashMap<Option<Kind>, ProgressBar>> {
        self.bars.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One plain line an event, and none that says the same again.
#[derive(Default)]
pub(super) struct PlainLines {
    said: Mutex<HashMap<Option<Kind>, String>>,
}

impl PlainLines {
    /// The line for an event, if it says something new.
    pub(super) fn event(&self, event: &Event) -> Option<String> {
        match event {
            // What follows a colon is a count that goes up; the line before it says enough.
            Event::Working(what) => self.new_line(None, what.split(':').next().unwrap_or(what), what),
            Event::Started { .. }
            | Event::Secret(_)
            | Event::Call { .. }
            | Event::Finished { action: Action::Keep, .. } => None,
            Event::Waiting { kind, name, what } => {
                self.new_line(Some(*kind), what, &format!("{} waiting for {what}", prefix(*kind, name)))
            }
            Event::Finished { kind, name, action, elapsed } => Some(finished(*kind, name, *action, *elapsed)),
            Event::Failed { kind, name } => Some(failed(*kind, name)),
            Event::Stopped { kind, name } => Some(stopped(*kind, name)),
        }
    }

    fn new_line(&self, kind: Option<Kind>, what: &str, line: &str) -> Option<String> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let before = said.insert(kind, what.to_owned());
        (before.as_deref() != Some(what)).then(|| line.to_owned())
    }
}

fn finished(kind: Kind, name: &str, action: Action, elapsed: Duration) -> String {
    let (what, done) = (prefix(kind, name), action.done());
    format!("{what} {done} in {} ms", elapsed.as_millis())
}

fn failed(kind: Kind, name: &str) -> String {
    format!("{} failed", prefix(kind, name))
}

fn stopped(kind: Kind, name: &str) -> String {
    format!("{} interrupted", prefix(kind, name))
}

fn prefix(kind: Kind, name: &str) -> String {
    format!("{kind:<18} {name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::stream;

    #[test]
    fn plain_lines_do_not_repeat_themselves() {
        let plain = PlainLines::default();
        let waiting =
            |what: &str| Event::Waiting { kind: stream::KIND, name: "flags".into(), what: what.into() };
        assert_eq!(plain.event(&waiting("it")).as_deref(), Some("stream             flags waiting for it"));
        assert_eq!(plain.event(&waiting("it")), None);
        assert!(plain.event(&waiting("another")).is_some());
        assert!(plain.event(&Event::Working("compiling: 1 crate".into())).is_some());
        assert_eq!(plain.event(&Event::Working("compiling: 2 crates".into())), None);
    }
}

//! Tells the emulator's process from a later process with the same id: systems reuse ids.
//!
//! A process is identified by its id and start time, and gets a signal only while both match.

use std::fmt;
use std::fs;
use std::process::{Command, Stdio};
use std::str::FromStr;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::programs;

/// The field of `/proc/PID/stat` with the start time in clock ticks since boot, counted from the state on (proc(5):
/// fields 22 and 3).
const STAT_START_TIME: usize = 22 - 3;

/// A process that leads a process group of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leader {
    pub(super) pid: u32,
    started: String,
}

/// How to ask the system for a process's start time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// Linux; a container may lack `ps`.
    Proc,
    Ps,
}

impl Leader {
    /// The process that has this id now; none if it ended or the system tells no start time.
    pub(super) fn with_pid(pid: u32) -> Option<Self> {
        let started = Source::of_this_system().start_time(pid)?;
        Some(Self { pid, started })
    }

    /// Whether the process still runs: a zombie does not, nor does a later process with the same id.
    pub(super) fn is_running(&self) -> bool {
        Source::of_this_system().start_time(self.pid).as_ref() == Some(&self.started)
    }

    /// Sends a signal to the process and its group, unless the process ended.
    pub(super) fn signal(&self, signal: Signal) {
        if self.is_running() {
            self.signal_group(signal);
        }
    }

    /// Kills the processes of the group that outlive its leader.
    pub(super) fn kill_orphans(&self) {
        // Without a process of this id there is no later group of this id either.
        let has_successor = Source::of_this_system().start_time(self.pid).is_some();
        if !has_successor {
            self.signal_group(Signal::KILL);
        }
    }

    fn signal_group(&self, signal: Signal) {
        let group = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            // A group that ended in the meantime needs no signal.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl fmt::Display for Leader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.pid, self.started)
    }
}

/// A text that names no process and its start time, such as the id alone, which earlier versions wrote.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoLeader;

impl FromStr for Leader {
    type Err = NoLeader;

    fn from_str(text: &str) -> Result<Self, NoLeader> {
        let (pid, started) = text.trim().split_once(' ').ok_or(NoLeader)?;
        let pid = pid.parse().map_err(|_| NoLeader)?;
        let started = started.to_owned();
        Ok(Self { pid, started })
    }
}

impl Source {
    fn of_this_system() -> Self {
        if cfg!(target_os = "linux") { Self::Proc } else { Self::Ps }
    }

    /// When a process started; none if it ended, zombies included.
    fn start_time(self, pid: u32) -> Option<String> {
        let (state, started) = match self {
            Self::Proc => proc_stat(pid)?,
            Self::Ps => ps(pid)?,
        };
        (!state.starts_with('Z')).then_some(started)
    }
}

/// State and start time from `/proc`.
fn proc_stat(pid: u32) -> Option<(String, String)> {
    // Ticks count from the boot, so one boot's process could look like another's.
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name, in brackets, may itself have spaces and brackets.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?.to_owned();
    let ticks = fields.nth(STAT_START_TIME - 1)?;
    Some((state, format!("{ticks} {}", boot.trim())))
}

/// State and start time from `ps`.
fn ps(pid: u32) -> Option<(String, String)> {
    let mut command = Command::new(programs::find("ps")?);
    command.args(["-o", "stat=,lstart=", "-p", &pid.to_string()]);
    // The time is written in the user's language and time zone otherwise, and either may change.
    command.env("LC_ALL", "C").env("TZ", "UTC");
    let output = command.stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (state, started) = text.trim().split_once(' ')?;
    Some((state.to_owned(), started.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
    use std::process::Child;

    use super::*;

    const SOURCES: &[Source] =
        if cfg!(target_os = "linux") { &[Source::Proc, Source::Ps] } else { &[Source::Ps] };

    /// A process in a group of its own that runs until it is killed.
    fn sleeper() -> Child {
        let mut command = Command::new("sleep");
        command.arg("600").process_group(0).spawn().unwrap()
    }

    fn kill(mut child: Child) {
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn every_source_tells_a_running_process_from_an_ended_one() {
        for source in SOURCES {
            let mut child = sleeper();
            let started = source.start_time(child.id());
            assert!(started.is_some(), "{source:?}");
            assert_eq!(source.start_time(child.id()), started, "{source:?}");
            child.kill().unwrap();
            // Ended, but nothing has waited for it: a zombie.
            while source.start_time(child.id()).is_some() {}
            child.wait().unwrap();
            assert_eq!(source.start_time(child.id()), None, "{source:?}");
        }
    }

    #[test]
    fn every_source_tells_processes_apart_by_their_start() {
        for source in SOURCES {
            // Process 1 started with the system or container, this one long after.
            let child = sleeper();
            let (first, ours) = (source.start_time(1), source.start_time(child.id()));
            kill(child);
            assert!(first.is_some() && ours.is_some(), "{source:?}");
            assert_ne!(first, ours, "{source:?}");
        }
    }

    #[test]
    fn a_process_is_signalled_while_it_is_the_one_that_was_remembered() {
        let mut child = sleeper();
        let remembered = Leader::with_pid(child.id()).unwrap().to_string();
        let leader: Leader = remembered.parse().unwrap();
        assert!(leader.is_running());
        leader.signal(Signal::TERM);
        let ended = child.wait().unwrap();
        assert_eq!(ended.signal(), Some(Signal::TERM.as_raw()));
        assert!(!leader.is_running());
    }

    #[test]
    fn a_stranger_with_the_same_id_is_never_signalled() {
        let mut child = sleeper();
        let other = Leader { pid: child.id(), started: "long ago".to_owned() };
        assert!(!other.is_running());
        other.signal(Signal::KILL);
        other.kill_orphans();
        // Had it been killed, this signal would come second.
        rustix::process::kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(Signal::TERM.as_raw()));
    }

    #[test]
    fn what_outlives_the_leader_is_killed() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & echo $!"]).process_group(0);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let leader = Leader { pid: child.id(), started: "just now".to_owned() };
        child.wait().unwrap();
        leader.kill_orphans();
        // The sleeping process holds standard output open: this returns once it is gone.
        let output = child.wait_with_output().unwrap();
        assert!(!output.stdout.is_empty());
    }

    #[test]
    fn an_id_without_a_start_time_names_no_process() {
        let id = std::process::id();
        for text in ["", "x", "x y", &id.to_string(), &format!("{id}\n")] {
            assert_eq!(text.parse::<Leader>(), Err(NoLeader), "{text:?}");
        }
    }
}

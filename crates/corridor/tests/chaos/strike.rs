//! How each fault strikes, and how it ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Result;
use crate::fault::Fault;
use crate::life::Life;

/// What is undone after a while.
#[derive(Debug)]
pub(crate) enum Cure {
    Serve,
    Flow,
    Space,
    /// A server process goes on.
    Wake(i32),
}

impl Life<'_> {
    /// Ends every fault that lasts. The traffic has been let go of by nobody.
    pub(crate) async fn calm_down(&mut self) {
        self.cure(true);
        self.proxy.disarm();
        self.next_failpoint = None;
        for hand in &mut self.hands {
            if hand.thaws_at.take().is_some() {
                hand.signal("CONT").await;
            }
        }
        if !self.wrongs.is_empty() {
            for hand in &mut self.hands {
                hand.kill().await;
            }
        }
    }

    pub(crate) fn cure(&mut self, all: bool) {
        let now = Instant::now();
        let (due, later) = std::mem::take(&mut self.cures)
            .into_iter()
            .partition(|(at, _)| all || *at <= now);
        self.cures = later;
        let due: Vec<(Instant, Cure)> = due;
        for (_, cure) in due {
            self.note(format!("over: {cure:?}"));
            match cure {
                Cure::Serve => self.proxy.refuse(false),
                Cure::Flow => self.proxy.stall(false),
                Cure::Wake(pid) => {
                    signal(pid, "CONT");
                }
                Cure::Space => self.ground.disk.iter().for_each(crate::disk::Disk::clear),
            }
        }
    }

    pub(crate) async fn strike(&mut self, fault: Fault) -> Result<()> {
        self.note(format!("{fault:?}"));
        let name = fault.name();
        let has_hit = match fault {
            Fault::Kill => self.kill_all().await,
            Fault::Rival => match self.look().await.as_deref() {
                None | Some("none") => false,
                Some(_) => {
                    let is_rival = !self.hands.is_empty();
                    self.start(&["resume", "life"])?;
                    is_rival
                }
            },
            Fault::Freeze(time) => match self.hands.iter_mut().find(|h| h.thaws_at.is_none()) {
                Some(hand) => {
                    hand.thaws_at = Some(Instant::now() + time);
                    hand.signal("STOP").await
                }
                None => false,
            },
            Fault::Crash(away) => {
                self.ground
                    .cluster
                    .stop(corridor_testbed::Mode::Immediate)
                    .await?;
                tokio::time::sleep(away).await;
                // A full disk would keep it down.
                self.ground.disk.iter().for_each(crate::disk::Disk::clear);
                self.ground.cluster.start_again().await?;
                true
            }
            Fault::Cut(away) => {
                self.proxy.refuse(true);
                self.proxy.cut_all();
                self.cures.push((Instant::now() + away, Cure::Serve));
                !self.hands.is_empty()
            }
            Fault::Stall(time) => {
                self.proxy.stall(true);
                self.cures.push((Instant::now() + time, Cure::Flow));
                !self.hands.is_empty()
            }
            Fault::Silence(text) => self.proxy.silence(text) > 0,
            Fault::LostAnswer { text, skip, cut } => {
                self.armed = name;
                self.proxy.cut_at(text, skip, cut);
                // Counted when it springs.
                false
            }
            Fault::Cancel(which) => self.signal_session("pg_cancel_backend", which).await,
            Fault::Terminate(which) => self.signal_session("pg_terminate_backend", which).await,
            Fault::Doze(which, time) => match self.session(which).await {
                Some(pid) if signal(pid, "STOP") => {
                    self.cures.push((Instant::now() + time, Cure::Wake(pid)));
                    true
                }
                _ => false,
            },
            Fault::DiskFull(time) => match &self.ground.disk {
                Some(disk) => {
                    disk.fill()?;
                    self.cures.push((Instant::now() + time, Cure::Space));
                    true
                }
                None => false,
            },
            Fault::Clock(seconds) => {
                std::fs::write(&self.clock_file, format!("{seconds:+}"))?;
                self.fate.has_clock && !self.hands.is_empty()
            }
            Fault::Failpoint(at) => {
                // Whoever comes next has it; it is counted when it aborts.
                self.next_failpoint = Some(at);
                self.kill_all().await;
                false
            }
            Fault::Order(order) => match self.look().await.as_deref() {
                None | Some("none") => false,
                Some(_) => self.start(order).is_ok(),
            },
            Fault::Truncate => {
                let traffic = Arc::clone(&self.traffic);
                let work = async move { traffic.truncate(Duration::from_secs(60)).await };
                self.truncates.push(tokio::spawn(work));
                true
            }
        };
        if has_hit {
            self.struck(name);
        }
        Ok(())
    }

    async fn kill_all(&mut self) -> bool {
        let mut has_hit = false;
        for hand in &mut self.hands {
            has_hit |= hand.ended().is_none() && hand.kill().await;
        }
        has_hit
    }

    async fn signal_session(&mut self, function: &str, which: usize) -> bool {
        let Some(pid) = self.session(which).await else {
            return false;
        };
        let Some(eyes) = self.eyes.as_ref() else {
            return false;
        };
        let done = eyes.query_one(&format!("select {function}($1)"), &[&pid]).await;
        done.is_ok_and(|row| row.get(0))
    }

    /// One of Corridor's own sessions on the server, chosen by number; one that is at work, when there is one.
    async fn session(&mut self, which: usize) -> Option<i32> {
        self.look().await?;
        let sql = "select pid, state = 'active' or backend_xid is not null from pg_stat_activity \
                   where application_name like 'corridor:%' and datname = current_database() order by pid";
        let rows = self.eyes.as_ref()?.query(sql, &[]).await.ok()?;
        let all: Vec<(i32, bool)> = rows
            .iter()
            .map(|row| (row.get(0), row.get::<_, Option<bool>>(1).unwrap_or(false)))
            .collect();
        let at_work: Vec<(i32, bool)> = all
            .iter()
            .copied()
            .filter(|(_, is_at_work)| *is_at_work)
            .collect();
        let from = if at_work.is_empty() { &all } else { &at_work };
        from.get(which % from.len().max(1)).map(|(pid, _)| *pid)
    }
}

/// Sends a signal by name to a process of the throwaway server. True when the process was there.
fn signal(pid: i32, name: &str) -> bool {
    let sent = std::process::Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .stderr(std::process::Stdio::null())
        .status();
    sent.is_ok_and(|status| status.success())
}

//! The time that a run of migrations has for counting and for reading values, and which tables it is not enough for.

use std::collections::BTreeSet;
use std::time::Duration;

/// In a preflight on a database that others work with: for reading values while they wait for what its migrations have locked.
const HELD: Duration = Duration::from_secs(2);

/// What the migrations of a run share, however many of them count.
#[derive(Debug)]
pub(crate) struct Budget {
    /// For counting once: what is not counted cannot be told from what is lost.
    counting: Duration,
    /// For reading values, what is left for all that the run still does.
    values: Duration,
    /// How often they are still read.
    readings: u32,
    /// What is left of it once a migration has run, where others wait meanwhile.
    pub(super) held: Option<Duration>,
    /// Whether one has.
    has_run: bool,
    /// Tables whose values could not be read: they are not tried again.
    forgone: BTreeSet<String>,
}

impl Budget {
    /// So much time for counting once, and for reading values.
    pub(crate) fn of(time: Duration) -> Budget {
        Budget {
            counting: time,
            values: time,
            readings: 1,
            held: None,
            has_run: false,
            forgone: BTreeSet::new(),
        }
    }

    /// The same on a database that others work with, and wait for what is locked until all is rolled back.
    pub(crate) fn among_others(self) -> Budget {
        Budget { held: Some(HELD), ..self }
    }

    /// A run of so many migrations begins.
    pub(super) fn begin(&mut self, migrations: usize) {
        self.values = self.counting;
        // Before the first, and after each.
        self.readings = u32::try_from(migrations).unwrap_or(u32::MAX).saturating_add(1);
    }

    /// A migration has run, and holds its locks.
    pub(super) fn ran(&mut self) {
        self.has_run = true;
    }

    pub(super) fn counting(&self) -> Duration {
        self.counting
    }

    /// The time for reading values now, of so much. What is read before is only of use where there is time to read it after, too.
    pub(super) fn share(&self, most: Duration) -> Duration {
        let share = most.min(self.values / self.readings.max(1));
        self.held.filter(|_| self.has_run).map_or(share, |held| held.min(share))
    }

    /// So much of it was taken.
    pub(super) fn spend(&mut self, time: Duration) {
        self.values = self.values.saturating_sub(time);
        self.readings = self.readings.saturating_sub(1);
        if self.has_run {
            self.held = self.held.map(|held| held.saturating_sub(time));
        }
    }

    /// The values of a table could not be read.
    pub(super) fn forgo(&mut self, table: String) {
        self.forgone.insert(table);
    }

    pub(super) fn has_forgone(&self, table: &str) -> bool {
        self.forgone.contains(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn d2_all_migrations_of_a_run_share_the_time_for_values() {
        let mut budget = Budget::of(seconds(8));
        budget.begin(3);
        assert_eq!((budget.share(seconds(9)), budget.share(seconds(1))), (seconds(2), seconds(1)));
        budget.spend(seconds(2));
        assert_eq!(budget.share(seconds(9)), seconds(2));
        // What one has not taken is for the others.
        budget.spend(seconds(0));
        assert_eq!(budget.share(seconds(9)), seconds(3));
        budget.spend(seconds(4));
        budget.spend(seconds(4));
        assert_eq!((budget.share(seconds(9)), budget.counting()), (seconds(0), seconds(8)));
    }

    #[test]
    fn d2_others_wait_a_moment_for_a_preflight_and_no_longer() {
        let mut budget = Budget::of(seconds(30)).among_others();
        budget.begin(1);
        assert_eq!(budget.share(seconds(30)), seconds(15));
        budget.spend(seconds(15));
        budget.ran();
        assert_eq!(budget.share(seconds(30)), HELD);
        budget.spend(HELD);
        // Nor for the next plugin's.
        budget.begin(1);
        assert_eq!(budget.share(seconds(30)), seconds(0));
    }
}

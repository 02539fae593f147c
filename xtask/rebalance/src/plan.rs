//! Which slots go where, from nothing but the map that the server shows.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

/// The map of `GET /internal/router`.
#[derive(Debug, Deserialize)]
pub(crate) struct Map {
    /// Labels, in their order.
    pub(crate) databases: Vec<String>,
    pub(crate) slots: Vec<Row>,
}

/// What a database says of a slot.
#[derive(Debug, Deserialize)]
pub(crate) struct Row {
    /// Two hex characters.
    pub(crate) slot: String,
    pub(crate) database: String,
    pub(crate) epoch: u64,
    pub(crate) state: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) slot: String,
    pub(crate) from: String,
    pub(crate) to: String,
    /// It is on its way already.
    pub(crate) goes_on: bool,
}

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    /// How many slots each database has, and is to have.
    counts: Vec<(String, usize, usize)>,
}

impl Map {
    /// As few moves as make all databases own the same number of slots, or one more. Slots that nobody owns yet stay
    /// so; one that is on its way goes on.
    pub(crate) fn plan(&self) -> Plan {
        let mut owners: BTreeMap<&str, &Row> = BTreeMap::new();
        for row in self.slots.iter().filter(|row| matches!(row.state.as_str(), "open" | "frozen")) {
            let owner = owners.entry(&row.slot).or_insert(row);
            if owner.epoch < row.epoch {
                *owner = row;
            }
        }
        let mut had: BTreeMap<&str, usize> = self.databases.iter().map(|label| (label.as_str(), 0)).collect();
        for owner in owners.values() {
            *had.entry(&owner.database).or_default() += 1;
        }
        let mut steps = Vec::new();
        let mut has = had.clone();
        for row in self.slots.iter().filter(|row| row.state == "arriving") {
            let Some(owner) = owners.remove(row.slot.as_str()) else { continue };
            *has.entry(&owner.database).or_default() -= 1;
            *has.entry(&row.database).or_default() += 1;
            steps.push(Step::new(owner, &row.database, true));
        }
        let (least, more) =
            (has.values().sum::<usize>() / has.len().max(1), has.values().sum::<usize>() % has.len().max(1));
        // One more belongs to those that have most, so that fewest move.
        let mut ranked: Vec<_> = self.databases.iter().map(String::as_str).collect();
        ranked.sort_by_key(|label| std::cmp::Reverse(has[label]));
        let wanted: BTreeMap<_, _> =
            ranked.iter().enumerate().map(|(rank, label)| (*label, least + usize::from(rank < more))).collect();
        for owner in owners.values().filter(|owner| wanted.contains_key(owner.database.as_str())) {
            let from = owner.database.as_str();
            let needy = self.databases.iter().map(String::as_str).find(|label| has[label] < wanted[label]);
            if let Some(to) = needy.filter(|_| has[from] > wanted[from]) {
                *has.entry(from).or_default() -= 1;
                *has.entry(to).or_default() += 1;
                steps.push(Step::new(owner, to, false));
            }
        }
        let counts = self.databases.iter().map(|label| (label.clone(), had[label.as_str()], has[label.as_str()]));
        Plan { steps, counts: counts.collect() }
    }
}

impl Step {
    fn new(owner: &Row, to: &str, goes_on: bool) -> Self {
        Self { slot: owner.slot.clone(), from: owner.database.clone(), to: to.to_owned(), goes_on }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (label, had, has) in &self.counts {
            writeln!(f, "{label}: {had} slots, then {has}")?;
        }
        let mut ways: BTreeMap<(&str, &str, bool), Vec<&str>> = BTreeMap::new();
        for step in &self.steps {
            ways.entry((&step.from, &step.to, step.goes_on)).or_default().push(&step.slot);
        }
        for ((from, to, goes_on), slots) in ways {
            let verb = if goes_on { "go on moving" } else { "move" };
            writeln!(f, "{verb} {} from {from} to {to}: {}", slots.len(), slots.join(" "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(databases: &[&str], rows: &[(u32, &str, u64, &str)]) -> Map {
        let row = |(slot, database, epoch, state): &(u32, &str, u64, &str)| Row {
            slot: format!("{slot:02x}"),
            database: (*database).to_owned(),
            epoch: *epoch,
            state: (*state).to_owned(),
        };
        let databases = databases.iter().map(|label| (*label).to_owned()).collect();
        Map { databases, slots: rows.iter().map(row).collect() }
    }

    fn counts(plan: &Plan) -> Vec<(usize, usize)> {
        plan.counts.iter().map(|(_, had, has)| (*had, *has)).collect()
    }

    #[test]
    fn as_few_slots_move_as_make_the_databases_even() {
        let all: Vec<_> = (0..256).map(|slot| (slot, "default", 1, "open")).collect();
        let plan = map(&["default", "second", "third"], &all).plan();
        assert_eq!(counts(&plan), [(256, 86), (0, 85), (0, 85)]);
        assert_eq!(plan.steps.len(), 170);
        let even: Vec<_> = (0..7).map(|slot| (slot, ["default", "second"][slot as usize % 2], 1, "open")).collect();
        assert_eq!(map(&["default", "second"], &even).plan().steps, []);
        // The one that is over belongs to whoever has it.
        let odd = [(1, "second", 1, "open"), (2, "second", 1, "open"), (3, "default", 1, "open")];
        assert_eq!(map(&["default", "second"], &odd).plan().steps, []);
    }

    #[test]
    fn what_is_on_its_way_goes_on_and_counts_where_it_goes() {
        let rows = [
            (1, "default", 1, "open"),
            (1, "second", 2, "arriving"),
            (2, "default", 1, "frozen"),
            (2, "second", 2, "arriving"),
            (3, "default", 1, "gone"),
            (3, "second", 2, "open"),
            (4, "default", 1, "open"),
            (5, "default", 1, "open"),
        ];
        let plan = map(&["default", "second"], &rows).plan();
        assert!(plan.steps[..2].iter().all(|step| step.goes_on && step.to == "second"));
        assert_eq!(plan.steps.len(), 2, "{plan}");
        assert_eq!(counts(&plan), [(4, 2), (1, 3)]);
    }

    #[test]
    fn nobody_s_slots_stay_so() {
        assert_eq!(map(&["default", "second"], &[]).plan().steps, []);
        assert_eq!(map(&["default"], &[(7, "default", 1, "open")]).plan().steps, []);
    }
}

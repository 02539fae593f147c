//! One report of several: of each figure the median.

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

/// What must never be hidden by a median: the worst of all runs counts.
const WORST: [&str; 3] = ["missing", "faults", "retries"];

/// Joins values of the same shape.
///
/// # Errors
/// Fails where their shapes differ, or there are none.
pub(crate) fn median(values: &[&Value]) -> Result<Value> {
    join("", values)
}

fn join(name: &str, values: &[&Value]) -> Result<Value> {
    let first = *values.first().context("nothing was measured")?;
    match first {
        Value::Object(fields) => {
            let mut joined = Map::new();
            for name in fields.keys() {
                let fields: Vec<_> = values.iter().filter_map(|value| value.get(name)).collect();
                joined.insert(name.clone(), join(name, &fields)?);
            }
            Ok(Value::Object(joined))
        }
        Value::Array(items) => {
            let column = |index: usize| values.iter().filter_map(|value| value.get(index)).collect::<Vec<_>>();
            (0..items.len()).map(|index| join(name, &column(index))).collect()
        }
        Value::Number(_) => {
            let mut numbers: Vec<_> = values.iter().filter(|value| value.is_number()).collect();
            let key = |value: &Value| value.as_f64().unwrap_or_default();
            numbers.sort_by(|a, b| key(a).total_cmp(&key(b)));
            let index = if WORST.contains(&name) { numbers.len() - 1 } else { numbers.len() / 2 };
            Ok((*numbers[index]).clone())
        }
        constant if values.iter().all(|value| *value == constant) => Ok(constant.clone()),
        _ => bail!("the runs measured different things"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn figures_are_medians_and_losses_the_worst() {
        let runs = [(3.0, 0), (1.0, 7), (2.0, 0)];
        let runs = runs.map(|(ms, missing)| json!({"delivery": [{"kind": "herd", "ms": ms, "missing": missing}]}));
        let joined = median(&runs.iter().collect::<Vec<_>>()).expect("all have one shape");
        assert_eq!(joined, json!({"delivery": [{"kind": "herd", "ms": 2.0, "missing": 7}]}));
    }

    #[test]
    fn runs_of_different_things_are_refused() {
        assert!(median(&[&json!({"kind": "herd"}), &json!({"kind": "gentle"})]).is_err());
    }
}

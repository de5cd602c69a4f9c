//! Plans as a text for people. Pure.

use std::fmt::Write;

use super::resource_plan::ResourcePlan;
use crate::cli::plugin::error::one_line;
use crate::cli::plugin::output::counted;

const RED: &str = "31";
const GREEN: &str = "32";
const BOLD: &str = "1";

/// Every plan, and how many there are of each kind.
pub(super) fn text(plans: &[ResourcePlan], has_colors: bool) -> String {
    let mut text: String = plans.iter().map(|plan| one(plan, has_colors)).collect();
    let unread = plans.iter().filter(|plan| plan.problem.is_some()).count();
    let differing = plans.iter().filter(|plan| plan.problem.is_none() && plan.has_differences()).count();
    let in_sync = plans.len() - unread - differing;
    let _ = writeln!(
        text,
        "{}: {in_sync} in sync, {differing} to change, {unread} not read",
        counted(plans.len(), "resource")
    );
    text
}

fn one(plan: &ResourcePlan, has_colors: bool) -> String {
    let name = plan.namespace.iter().chain([&plan.name]).map(String::as_str).collect::<Vec<_>>().join("/");
    let credential = plan.credential.as_deref().unwrap_or("(no credential yet)");
    let mut text = format!("{}  {}\n", painted(&name, BOLD, has_colors), one_line(credential));
    if let Some(problem) = &plan.problem {
        let _ = writeln!(text, "  ! {}", one_line(problem));
    }
    for change in &plan.changes {
        let doubt = if change.certain { "" } else { " (Confidence withholds it; it is written to be sure)" };
        let (from, to) = (one_line(&change.from), one_line(&change.to));
        let _ = writeln!(text, "{}", painted(&format!("  - {}: {from}", change.field), RED, has_colors));
        let _ = writeln!(text, "{}", painted(&format!("  + {}: {to}{doubt}", change.field), GREEN, has_colors));
    }
    for step in &plan.next {
        let _ = writeln!(text, "  {} {}", if step.is_change { '+' } else { '·' }, one_line(&step.text));
    }
    if plan.problem.is_none() && plan.changes.is_empty() && plan.next.is_empty() {
        text.push_str("  in sync\n");
    }
    text
}

fn painted(text: &str, color: &str, has_colors: bool) -> String {
    if has_colors { format!("\x1b[{color}m{text}\x1b[0m") } else { text.to_owned() }
}

//! The figures as a picture: CPU and memory of each scenario.

use std::path::Path;

use plotters::prelude::*;

use super::watch::Measured;

const SIZE: (u32, u32) = (1200, 900);

/// Draws bars: CPU seconds above, memory below.
pub(super) fn draw(measured: &[Measured], file: &Path) -> Result<(), String> {
    let area = SVGBackend::new(file, SIZE).into_drawing_area();
    let drawn = area.fill(&WHITE).map_err(|error| error.to_string());
    let (above, below) = area.split_vertically(SIZE.1 / 2);
    drawn
        .and_then(|()| bars(&above, "CPU seconds of the operator", measured, |it| it.cpu_seconds))
        .and_then(|()| bars(&below, "resident memory in MiB", measured, |it| it.memory))
        .and_then(|()| area.present().map_err(|error| error.to_string()))
}

fn bars(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    caption: &str,
    measured: &[Measured],
    value: impl Fn(&Measured) -> f64,
) -> Result<(), String> {
    let most = measured.iter().map(&value).fold(0.0, f64::max).max(0.01);
    let labels: Vec<String> = measured.iter().map(|it| format!("{}: {}", it.size, it.scenario)).collect();
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 18))
        .margin(8)
        .x_label_area_size(130)
        .y_label_area_size(60)
        .build_cartesian_2d((0..measured.len()).into_segmented(), 0.0..most * 1.1)
        .map_err(|error| error.to_string())?;
    let label = |position: &SegmentValue<usize>| match position {
        SegmentValue::CenterOf(index) => labels.get(*index).cloned().unwrap_or_default(),
        SegmentValue::Exact(_) | SegmentValue::Last => String::new(),
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(measured.len())
        .x_label_style(("sans-serif", 10).into_font().transform(FontTransform::Rotate90))
        .x_label_formatter(&label)
        .draw()
        .map_err(|error| error.to_string())?;
    let bars = measured.iter().enumerate().map(|(index, it)| {
        let mut bar = Rectangle::new(
            [(SegmentValue::Exact(index), 0.0), (SegmentValue::Exact(index + 1), value(it))],
            BLUE.mix(0.6).filled(),
        );
        bar.set_margin(0, 0, 8, 8);
        bar
    });
    chart.draw_series(bars).map(drop).map_err(|error| error.to_string())
}

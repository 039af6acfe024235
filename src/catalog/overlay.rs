//! Two catalogs joined: the local-overlay store's upper database over the
//! lower store's (Nix's `local-overlay-store.md`). The upper one repeats rows
//! of the lower; where both have a path, the upper row counts.

use super::{Builder, Catalog, PathId, Record, TooLarge};

/// The paths of `upper`, and those of `lower` that it lacks. Both must have
/// the same store directory, else the lower paths become warnings.
///
/// # Errors
/// If both together are too large.
pub(crate) fn join(upper: &Catalog, lower: &Catalog) -> Result<Catalog, TooLarge> {
    let mut builder = Builder::new(upper.store_dir());
    for catalog in [upper, lower] {
        builder.warnings().extend(catalog.warnings.clone());
    }
    for column in upper.missing_columns.iter().chain(&lower.missing_columns) {
        builder.set_missing_column(column);
    }
    let mut unlisted = Vec::new();
    let mut numbers = Vec::with_capacity(upper.len());
    for id in upper.ids() {
        numbers.push(add(&mut builder, upper, id, &mut unlisted)?);
    }
    add_references(&mut builder, upper, &numbers, |_| true);
    let mut lower_numbers = Vec::with_capacity(lower.len());
    for id in lower.ids() {
        lower_numbers.push(match upper.find(lower.base_name(id)) {
            Some(upper) if lower.store_dir() == builder.store_dir() => numbers[upper.index()],
            _ => add(&mut builder, lower, id, &mut unlisted)?,
        });
    }
    add_references(&mut builder, lower, &lower_numbers, |id| {
        upper.find(lower.base_name(id)).is_none()
    });
    // What one of the two does not list, the other may.
    let found: Vec<_> = {
        let numbers = builder.numbers();
        unlisted.iter().map(|(_, name)| numbers.get(&**name).copied()).collect()
    };
    for ((from, name), to) in unlisted.into_iter().zip(found) {
        match to {
            Some(to) => builder.add_reference(from, to),
            None => builder.add_unlisted_reference(from, &name),
        }
    }
    for (catalog, numbers) in [(upper, &numbers), (lower, &lower_numbers)] {
        for number in catalog.undeletable.iter().filter_map(|path| numbers[path.index()]) {
            builder.set_undeletable(number);
        }
        for (path, end) in &catalog.beside_odd_rows {
            if let Some(number) = numbers[path.index()] {
                builder.set_beside_odd_row(number, *end);
            }
        }
    }
    for catalog in [upper, lower] {
        for trace in &catalog.traces {
            builder.add_trace(trace.clone());
        }
        for table in &catalog.unknown_traces {
            builder.add_unknown_trace(table.clone());
        }
    }
    if upper.outputs_known && lower.outputs_known {
        builder.set_outputs_known();
    }
    builder.finish()
}

fn add(
    builder: &mut Builder,
    catalog: &Catalog,
    id: PathId,
    unlisted: &mut Vec<(u32, Box<str>)>,
) -> Result<Option<u32>, TooLarge> {
    let signatures: Vec<&str> = catalog.signatures(id).collect();
    let number = builder.add(&Record {
        path: catalog.path(id).as_bytes(),
        hash: catalog.hash(id).copied(),
        nar_size: catalog.nar_size(id),
        registration_time: catalog.registration_time(id),
        deriver: catalog.deriver(id).unwrap_or_default().as_bytes(),
        signatures: signatures.join(" ").as_bytes(),
        content_address: catalog.content_address(id).unwrap_or_default().as_bytes(),
        ultimate: catalog.ultimate(id),
    })?;
    if let (Some(number), Some(output)) = (number, catalog.output(id)) {
        builder.set_output(number, output);
    }
    if let Some(number) = number {
        for reference in catalog.unlisted_references(id) {
            unlisted.push((number, reference.clone()));
        }
        if let Some(size) = catalog.stated_closure_size(id) {
            builder.set_closure_size(number, size);
        }
        if let Some(size) = catalog.download_size(id) {
            builder.set_download_size(number, size);
        }
    }
    Ok(number)
}

fn add_references(
    builder: &mut Builder,
    catalog: &Catalog,
    numbers: &[Option<u32>],
    which: impl Fn(PathId) -> bool,
) {
    for id in catalog.ids().filter(|&id| which(id)) {
        for reference in catalog.references_of(id) {
            if let (Some(from), Some(to)) = (numbers[id.index()], numbers[reference.index()]) {
                builder.add_reference(from, to);
            }
        }
        for output in catalog.outputs_of(id) {
            if let (Some(from), Some(to)) = (numbers[id.index()], numbers[output.index()]) {
                builder.add_derivation_output(from, to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::catalog::{PathId, registration::load};

    #[test]
    fn the_upper_row_counts() {
        let path = |c: char| format!("/nix/store/{}-{c}", c.to_string().repeat(32));
        let (a, b, c) = (path('a'), path('b'), path('c'));
        let text = format!("{a}\n\n0\n{b}\n\n1\n{a}\n");
        let lower = load(text.as_bytes(), "/nix/store").unwrap();
        let text = format!("{b}\n{b}.drv\n0\n{c}\n\n2\n{c}\n{b}\n");
        let upper = load(text.as_bytes(), "/nix/store").unwrap();
        let joined = super::join(&upper, &lower).unwrap();
        assert_eq!(joined.len(), 3);
        assert_eq!(joined.deriver(PathId::new(1)), Some(format!("{b}.drv")));
        assert_eq!(joined.references().iter().collect::<Vec<_>>(), [&[][..], &[], &[1, 2]]);
    }
}

"""L. What is needed to make it again."""

from __future__ import annotations

from bayescmr.report.asked import Asked
from bayescmr.report.document import Block, Code, Section, Table
from bayescmr.report.sentences import text
from bayescmr.words import name


def reproducibility(asked: Asked) -> Section:
    """Versions, fingerprints, commands."""
    provenance = asked.posterior.provenance
    first = next(iter(asked.models.values()))
    settings = first.provenance.settings
    how = f"--draws {settings['draws']} --tune {settings['tune']}" if "draws" in settings else ""
    fit = (
        f"bayescmr compare {asked.table} --models {','.join(asked.models)}"
        f" --seed {provenance.seed} --out {asked.file}"
        if asked.stacked
        else f"bayescmr fit {asked.table} --model {first.model.name} --seed {provenance.seed}"
        f" {how} --out {asked.file}".replace("  ", " ")
    )
    report = asked.report_command("".join(f" --{n} {f}" for n, f in _files(asked).items()))
    rows = [("SHA-256 of the run table", provenance.fingerprint)]
    rows += [
        (f"SHA-256 of the model {name(m, 60)}", fit_.model.fingerprint)
        for m, fit_ in asked.models.items()
    ]
    rows += [("SHA-256 of the draws", asked.posterior_fingerprint), ("seed", str(provenance.seed))]
    versions = tuple((name(p, 60), str(v)) for p, v in sorted(provenance.versions.items()))
    blocks: list[Block] = [
        text("The posterior: ", Code(fit)),
        text("This report: ", Code(f"{report} --out report/")),
        Table("fingerprints", "Fingerprints.", ("what", "value"), tuple(rows)),
        Table("versions", "Versions at the time of the fit.", ("package", "version"), versions),
        text(
            "Same seed, table, model and versions on the same kind of processor: same draws,"
            " whatever the number of cores."
        ),
        text(_licence(asked)),
    ]
    return Section("L", "Reproducibility", tuple(blocks))


def _files(asked: Asked) -> dict[str, str]:
    """Options of the results that were put in, with the names that commands here give them."""
    files = {"sbc": "sbc.jsonl", "sensitivity": "sensitivity.json", "influence": "influence.json"}
    return {n: file for n, file in files.items() if getattr(asked.studies, n) is not None}


def _licence(asked: Asked) -> str:
    """The run table has no column for a licence."""
    return (
        "Licence of the data: NOT REPORTED; the run table does not say. Sources, where stated,"
        " stand beside each probe in section C."
    )

"""`croissant.json` beside a clip store: what it holds, for tools that read Croissant (MLCommons, version 1.0)."""

from typing import Any

FILE = "croissant.json"
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "citeAs": "cr:citeAs",
    "recordSet": "cr:recordSet",
    "field": "cr:field",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "source": "cr:source",
    "fileObject": "cr:fileObject",
    "extract": "cr:extract",
    "column": "cr:column",
}
KINDS = {"string": "sc:Text", "int64": "sc:Integer", "float64": "sc:Float"}
ENCODING = {"clips.parquet": "application/x-parquet", "keypoints.npy": "application/octet-stream"}


def croissant(card: dict[str, Any], columns: dict[str, str]) -> dict[str, Any]:
    """The description of a store.

    Args:
        card: of the store, with the sha256 of its files.
        columns: name and type of the columns of its table.
    """
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"clips/{name}",
            "name": name,
            "dataType": KINDS[kind],
            "source": {"fileObject": {"@id": "clips.parquet"}, "extract": {"column": name}},
        }
        for name, kind in columns.items()
    ]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": card["dataset"],
        "description": (
            f"Keypoints of sign language: {card['n_clips']} clips, {card['n_frames']} frames of 75 joints "
            f"(x and y). {card.get('origin') or ''}"
        ).strip(),
        "license": card.get("licence") or "not stated",
        "citeAs": card.get("citation") or "",
        "inLanguage": card.get("languages") or [],
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": name,
                "name": name,
                "contentUrl": name,
                "encodingFormat": ENCODING[name],
                "sha256": sha256,
            }
            for name, sha256 in card["sha256"].items()
        ],
        "recordSet": [{"@type": "cr:RecordSet", "@id": "clips", "name": "clips", "field": fields}],
    }

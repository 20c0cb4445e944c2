#!/usr/bin/env python3
"""Refreshes the source files that documents show in full: blocks ```csharp file=PATH whose first line is the file's first line.

    python3 eng/update-excerpts.py
"""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent


def refresh(match):
    path = ROOT / match["path"]
    if not path.exists():
        return match[0]
    source = path.read_text(encoding="utf-8-sig").strip("\n")
    whole = match["code"].split("\n", 1)[0] == source.split("\n", 1)[0]
    return f"```csharp file={match['path']}\n{source}\n```" if whole else match[0]


for document in [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]:
    text = document.read_text(encoding="utf-8")
    fresh = re.sub(r"^```csharp file=(?P<path>\S+)\n(?P<code>.*?)\n```$", refresh, text, flags=re.S | re.M)
    if fresh != text:
        document.write_text(fresh, encoding="utf-8", newline="\n")
        print(f"updated {document.relative_to(ROOT)}")

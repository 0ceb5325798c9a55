"""What is joined: all our own modules and style sheets, and what none of them may say."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.ops.test_page_modules import node
from tests.support.words import PAGE, extracted
from web import joining
from web.joining import SCRIPTS, SHEETS, JoiningError
from web.render import STATIC

RUSSIAN = joining.catalogue((STATIC / "js/words/ru.js").read_text())


def written(folder: Path, **files: str) -> Path:
    """Write scripts by their names."""
    for name, code in files.items():
        path = folder / "js" / f"{name}.js"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(code)
    return folder


def run(code: str, tmp_path: Path) -> str:
    """Return what a script prints."""
    path = tmp_path / "joined.mjs"
    path.write_text(code)
    ran = subprocess.run([node(), path], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def modules_of(joined: str) -> list[str]:
    """Return what was joined, in its order, as paths such as lib/times.js."""
    names = re.findall(r"^const ([\w$]+) = \(\(\) => \{$", joined, re.MULTILINE)
    return [f"{name.replace('$', '/')}.js" for name in names]


@pytest.mark.parametrize("words", [{}, RUSSIAN], ids=["en", "ru"])
@pytest.mark.parametrize("entry", sorted(SCRIPTS))
def test_our_scripts_can_be_joined(entry: str, words: joining.Words, tmp_path: Path) -> None:
    joined = joining.script(STATIC, entry, words)
    modules = modules_of(joined)
    assert f"js/{modules[-1]}" == entry, "last, after all that it needs"
    assert len(modules) == len(set(modules))
    path = tmp_path / "joined.mjs"
    path.write_text(joined)
    subprocess.run([node(), "--check", path], check=True, timeout=60)


def test_every_script_is_part_of_an_entry() -> None:
    parts = {
        module for entry in SCRIPTS for module in modules_of(joining.script(STATIC, entry, {}))
    }
    ours = {str(path.relative_to(STATIC / "js")) for path in (STATIC / "js").rglob("*.js")}
    assert parts == {path for path in ours if not path.startswith("words/")}


def test_every_style_sheet_is_part_of_a_page() -> None:
    folder = STATIC / "css"
    pages = "".join(path.read_text() for path in (folder / "pages").glob("*.css"))
    ours = {str(path.relative_to(folder)) for path in folder.rglob("*.css")}
    assert set(re.findall(r"@import '\.\./(.+)';", pages)) == {
        path for path in ours if not path.startswith("pages/")
    }
    assert {f"css/{path}" for path in ours if path.startswith("pages/")} == {
        *SHEETS,
        "css/pages/every.css",
    }


@pytest.mark.parametrize("entry", sorted(SHEETS))
def test_our_style_sheets_can_be_joined(entry: str) -> None:
    joined = joining.sheet(STATIC, entry)
    assert joined.startswith(":root{"), "tokens first"
    assert not re.search(r"@import|/\*|^\s", joined, re.MULTILINE)
    assert joined.count("{") == joined.count("}")


def test_a_page_has_all_words_of_its_modules_and_no_others() -> None:
    for entry in SCRIPTS:
        joined = joining.script(STATIC, entry, RUSSIAN)
        modules = {f"static/js/{one}" for one in modules_of(joined)}
        for message in extracted(PAGE):
            if not message.id:
                continue
            key = message.id if isinstance(message.id, str) else message.id[0]
            there = RUSSIAN[key]
            russian = json.dumps(there, ensure_ascii=False)
            said = bool(modules & {place for place, _ in message.locations})
            assert (russian in joined) is said, (entry, key)


def test_words_stand_where_they_are_said_or_are_told(tmp_path: Path) -> None:
    words = (STATIC / "js/lib/words.js").read_text()
    files = written(
        tmp_path,
        **{"lib/words": words},
        main="""
            import { t, tn } from './lib/words.js';
            const SAID = 'Later';
            console.log(t('It isn\\'t “{name}”', { name: 'Ada' }), t(SAID), t("New"), t('Later'));
            console.log(tn('{count} day', '{count} days', 1), 'It isn’t');
        """,
    )
    translations: joining.Words = {
        "It isn't “{name}”": 'Это не "{name}"',
        "Later": "Позже",
        "{count} day": ["{count} день", "{count} дня", "{count} дней"],
        "Never said": "Никогда",
    }
    joined = joining.script(files, "js/main.js", translations)
    assert "Никогда" not in joined
    assert run(joined, tmp_path) == 'Это не "Ada" Позже New Позже\n1 день It isn’t\n'
    assert run(joining.script(files, "js/main.js", {}), tmp_path) == (
        "It isn't “Ada” Later New Later\n1 day It isn’t\n"
    )


def test_each_module_runs_once_in_order_with_names_of_its_own(tmp_path: Path) -> None:
    files = written(
        tmp_path,
        main="""
            import {
              Bird,
              name as other, // a name of another module
            } from './one.js';
            import { count } from './two.js';
            import './three.js';
            /** @param {string} x */
            const name = /** @type {string} */ ('main');
            console.log(name, other, new Bird().name, await_(count()));
            console.log(`a // b`, '/** c */', "// d");
            function await_(x) { return x; } // https://example.com
        """,
        one="""
            import { count } from './two.js';
            count();
            export const name = 'one';
            export class Bird { name = `${name}'s`; }
        """,
        two="""
            let counted = 0;
            console.log('two');
            export function count() { return ++counted; }
            export async function slow() { await count(); }
        """,
        three="console.log('three');",
    )
    joined = joining.script(files, "js/main.js", {})
    assert run(joined, tmp_path) == "two\nthree\nmain one one's 2\na // b /** c */ // d\n"
    assert not re.search("example|another module|@param|^ ", joined, re.MULTILINE)


@pytest.mark.parametrize(
    "refused",
    [
        "export let a = 1;",
        "export default class {}",
        "export * from './other.js';",
        "export { a } from './other.js';",
        "const a = 1;\nexport { a };",
        "import other from './other.js';",
        "import * as other from './other.js';",
        'import { a } from "./other.js";',
        "import { missing } from './other.js';",
        "import { a } from './nowhere.js';",
        "import { a } from 'library';",
        "import './main.js';",
        "import './circle.js';",
        "button.onclick = () => import('./other.js');",
        "const answer = await fetch('/');",
        "for await (const one of all) {}",
        "const text = `two\n  lines`;",
    ],
)
def test_what_cannot_be_joined_is_refused(refused: str, tmp_path: Path) -> None:
    files = written(
        tmp_path,
        main=refused,
        other="export const a = 1;",
        circle="import { b } from './main.js';",
    )
    with pytest.raises(JoiningError, match=r"^js/main\.js"):
        joining.script(files, "js/main.js", {})


def test_a_module_knows_its_own_address_only_beside_the_entry(tmp_path: Path) -> None:
    where = "export const here = import.meta.url;"
    files = written(tmp_path, main="import './part.js';", part=where)
    assert "import.meta.url" in joining.script(files, "js/main.js", {})
    written(tmp_path, main="import './lib/part.js';", **{"lib/part": where})
    with pytest.raises(JoiningError, match=r"import\.meta"):
        joining.script(files, "js/main.js", {})


@pytest.mark.parametrize(
    "refused",
    [
        "a { background: url('a.svg'); }",
        '@import "../b.css";',
        "@import '../b.css' print;",
        '@charset "utf-8";',
    ],
)
def test_what_a_style_sheet_may_not_say(refused: str, tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text(f"/* a */\n{refused}\n")
    with pytest.raises(JoiningError, match=r"^a\.css"):
        joining.sheet(tmp_path, "a.css")

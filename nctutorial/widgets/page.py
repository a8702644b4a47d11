"""The λ explorer as one page that needs no kernel, no network and no Python."""

import base64
import json
from typing import Any

PAGE = """<!doctype html>
<html lang="en-GB">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>λ explorer</title>
<style>
body {{ max-width: 1280px; margin: 16px auto; padding: 0 12px; font: 15px/1.5 system-ui, sans-serif; color: #1f2328; }}
{css}
</style>
<h1>The λ explorer</h1>
<p>One photo, coded by a learned codec that minimises rate + λ × distortion, for {n} values of λ. Move the slider:
the picture, its bytes and its place on the rate-distortion plane move with it.</p>
<div id="explorer"></div>
<script type="application/json" id="state">{state}</script>
<script type="module">
{esm}
standAlone(document.getElementById("state").textContent, document.getElementById("explorer"));
</script>
</html>
"""


def html(state: dict[str, Any], esm: str, css: str) -> str:
    """The page. state: the widget's traits, with bytes where it has files. esm, css: its front end."""
    text = json.dumps(state, default=lambda file: {"base64": base64.b64encode(file).decode()})
    text = text.replace("</", "<\\/")  # nothing in it may end the script element
    return PAGE.format(n=len(state["stills"]), css=css, esm=esm, state=text)

"""The looks of the HTML report. Nothing but CSS."""

CSS = """
:root { color-scheme: light dark; --ink: #1c2128; --soft: #5b6673; --paper: #ffffff; --panel: #f5f7f9; --line: #dde2e8;
  --good: #1a7f37; --bad: #c62828; --busy: #9a6700; --idle: #b4bcc6; --mono: ui-monospace, Menlo, monospace; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #9aa5b1; --paper: #12161b; --panel: #1a2027;
  --line: #2d3540; --good: #4ac26b; --bad: #ff7b72; --busy: #d9a42b; --idle: #56606c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 2.5rem 1.5rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .3rem; }
h2 { font-size: 1.15rem; margin: 2.6rem 0 .9rem; }
code, pre, svg text { font-family: var(--mono); font-size: .86em; }
.soft { color: var(--soft); }
.verdict { border-left: .4rem solid var(--good); padding: .1rem 0 .1rem 1.1rem; }
.verdict.failed { border-color: var(--bad); color: inherit; }
.verdict.failed h1 { color: var(--bad); }
.verdict p { margin: .15rem 0; }
.card { border: 1px solid var(--line); border-left: .3rem solid var(--bad);
  border-radius: .5rem; background: var(--panel);  padding: .9rem 1.1rem; margin: 0 0 1rem; }
.card p { margin: .35rem 0; overflow-wrap: anywhere; white-space: pre-line; }
pre { overflow: auto; max-height: 32rem; margin: .6rem 0 0; padding: .8rem 1rem; border: 1px solid var(--line);
  border-radius: .4rem; background: var(--paper); line-height: 1.45; white-space: pre-wrap; overflow-wrap: anywhere; }
summary { cursor: pointer; color: var(--soft); }
details { margin: .5rem 0; }
figure { margin: 0 0 1.6rem; border: 1px solid var(--line); border-radius: .6rem; overflow: hidden;
  background: var(--panel); }
figure .pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr)); gap: 2px; }
figure img { display: block; width: 100%; max-height: 46rem; object-fit: contain; background: #0b0e12; }
figcaption { padding: .9rem 1.1rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1.2rem; margin: .6rem 0 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; color: var(--soft); font-weight: 600; font-size: .85rem; }
th, td { padding: .45rem .9rem .45rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td { overflow-wrap: anywhere; }
td.number, th.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td.address { min-width: 15rem; }
.state { white-space: nowrap; }
td.state:first-child { font-weight: 600; }
.done { color: var(--good); } .failed { color: var(--bad); } .rescued { color: var(--busy); }
.interrupted, .superseded { color: var(--busy); } .not_reached { color: var(--soft); }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { fill: var(--ink); font-size: 12px; }
svg .soft { fill: var(--soft); }
svg line { stroke: var(--line); }
rect.done { fill: var(--good); } rect.failed { fill: var(--bad); } rect.rescued { fill: var(--busy); }
rect.interrupted, rect.superseded { fill: var(--busy); } rect.not_reached { fill: var(--idle); }
@media print { body { max-width: none; padding: 0; }
  pre { max-height: none; } figure, .card, tr { break-inside: avoid; } }
"""

/** The style of the HTML report: the reader's own font sizes and colour scheme, contrast of 4.5 and more in both, print on white. */
export const style = `
:root{color-scheme:light dark;--ground:#fff;--text:#1b1b1b;--dim:#555;--line:#bbb;--panel:#f4f4f4;--good:#0b6b2e;--bad:#a8001c;--open:#7a4b00;--link:#0645ad}
@media(prefers-color-scheme:dark){:root{--ground:#121212;--text:#eee;--dim:#b3b3b3;--line:#555;--panel:#1e1e1e;--good:#7ee2a0;--bad:#ff9aa5;--open:#f2c06b;--link:#9cc4ff}}
@media print{:root{--ground:#fff;--text:#000;--dim:#444;--line:#999;--panel:#fff;--good:#0b6b2e;--bad:#a8001c;--open:#7a4b00;--link:#000}details{break-inside:avoid}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:75rem;padding:1rem;font:1rem/1.5 system-ui,sans-serif;background:var(--ground);color:var(--text)}
a{color:var(--link)}
a:focus-visible,summary:focus-visible,.scroll:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-100rem}.skip:focus{position:static}
h1{margin:.5rem 0;font-size:1.7rem}h2{margin:2rem 0 .5rem;font-size:1.3rem;border-bottom:1px solid var(--line)}h3{margin:1.5rem 0 .5rem;font-size:1.1rem}
code,pre,.id{font-family:ui-monospace,monospace;font-size:.9em}
.verdict{font-size:1.15rem;font-weight:600}
nav ul{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;padding:0;list-style:none}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%}
caption{text-align:left;color:var(--dim);padding:.2rem 0}
th,td{border-bottom:1px solid var(--line);padding:.35rem .6rem .35rem 0;text-align:left;vertical-align:top}
thead th{border-bottom:2px solid var(--line)}
th[scope=row]{font-weight:400}
.number{text-align:right;font-variant-numeric:tabular-nums}
.good{color:var(--good)}.bad{color:var(--bad);font-weight:600}.open{color:var(--open)}.dim{color:var(--dim)}
details{background:var(--panel);padding:.2rem .6rem;margin-top:.2rem}
details dl{margin:.3rem 0}dt{font-weight:600}dd{margin:0 0 .3rem 1rem;overflow-wrap:anywhere}
.title{display:block}
svg{width:100%;height:auto;display:block}
svg text{fill:var(--text);font:13px system-ui,sans-serif}
.axis{stroke:var(--line)}.host{fill:var(--bad)}.pod0{fill:var(--good)}.pod1{fill:var(--link)}.pod2{fill:var(--open)}
footer{margin-top:2rem;color:var(--dim)}
`;

/** Additional CSS of the memorisation page. A token's `--strength` and a bar's `--length` are shares from 0 to 1. */
export const style = `
.legend { display: flex; align-items: center; gap: .6rem; margin-top: .8rem; font-size: .85rem; color: var(--muted) }
.legend i { width: 8rem; height: .8rem; border-radius: 3px; background: linear-gradient(to right, transparent, var(--second-shade));
  box-shadow: inset 0 0 0 1px var(--rule); print-color-adjust: exact }
.readings { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 1rem 3rem }
.readings > section { min-width: 0; max-width: 46rem }
.readings h2 { margin: 1.6rem 0 .2rem; overflow-wrap: anywhere }
.prediction { position: sticky; top: 0; z-index: 1; padding: .2rem 0 .8rem; background: var(--paper) }
.place { color: var(--muted); font-size: .85rem; white-space: nowrap; overflow: hidden; text-overflow: ellipsis }
.bars, .words { list-style: none; margin: .2rem 0 0; font-size: .85rem; line-height: 1.35 }
.bars li, .words li { position: relative; isolation: isolate; display: flex; justify-content: space-between; gap: 1rem; padding: .1rem .4rem; min-width: 0 }
.bars li::before, .words li::before { content: ''; position: absolute; z-index: -1; inset: 1px auto 1px 0; border-radius: 2px;
  width: calc(100% * var(--length)); print-color-adjust: exact }
.bars li::before { background: var(--first-shade) } .words li::before { background: var(--second-shade) }
.name { white-space: pre; overflow: hidden; text-overflow: ellipsis } .value { font-variant-numeric: tabular-nums }
.text { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.75; padding: .2rem; margin: 0 -.2rem; border-radius: 3px }
.text:focus-visible { outline: 2px solid var(--first); outline-offset: 3px }
.token { border-radius: 2px; padding: .1em 0; cursor: default; print-color-adjust: exact;
  background: color-mix(in srgb, var(--second-shade) calc(100% * var(--strength)), transparent) }
.token.unread { color: var(--muted) }
.token.current { box-shadow: 0 0 0 2px var(--first) }
.status { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
.words { columns: 2 12rem; column-gap: 2rem } .words li { break-inside: avoid }
footer { margin-top: 2.5rem; padding-top: .6rem; border-top: 1px solid var(--rule); font-size: .85rem }
@media print { .prediction { position: static } .readings { display: block } }
`

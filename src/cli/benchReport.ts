import { caseNames } from '../bench/cases.js'
import { workNames, works } from '../bench/latency/ops/numbers.js'
import { type Pass, passes } from '../bench/passes.js'
import type { Results } from '../bench/results.js'
import type { CaseResult, Measured, Row } from '../bench/rows.js'
import { setNames, sets } from '../bench/translation/batches.js'
import { latencyLines } from './benchLatency.js'
import { opsLines } from './benchLatencyOps.js'
import { loadLines } from './benchLoad.js'
import { translationLines } from './benchTranslation.js'
import { aligned } from './table.js'

const COLUMNS = [
  ...['', '', 'ms', 'tokens/s', 'multiplications', 'GFLOP/s', 'of peak', 'JavaScript', 'MiB'],
  'ours is faster by',
]
const RATIO_COLUMNS = ['', '', 'ours is faster by', 'ours multiplies', 'the best peer', '']

const NAMES = { forward: 'forward', step: 'step', stepLast: 'step, last states' } as const

const READ_THIS = `\
Medians of interleaved rounds. The loss of a step reads the mean of all states, so that each has a gradient; in the other step
it reads the last states only, as a classifier does, and gradients may vanish on the way back. Padding does not count as tokens.
Multiplications are those of the layers' products for a token: packed-rnn multiplies the input's weights with each distinct word
once, skips gradients that are not needed, and ends the backward pass where the gradient is zero; peers multiply with every token,
and with their padding. GFLOP/s count the multiplications that the shapes require, so all sides compare. A peak in MiB is of a
whole process.`

/** For a person: a table a case, and what must be known to read it. */
export function report(results: Results): string {
  const { version, machine, batch, threads, rounds, ceilings, peers, cases } = results
  const { articles, tokens, words, longest, about } = batch
  const giga = (value: number) => (value / 1e9).toFixed(0)
  const lines = [
    `packed-rnn ${version}: ${machine.cpu}, ${machine.instructions}, ${threads} threads, Node ${machine.node}`,
    `${articles} articles, ${tokens} tokens, ${words} words, longest ${longest}: ${about}`,
    `ceilings: one thread ${giga(ceilings.flopsOfOne)} GFLOP/s, all ${giga(ceilings.flopsOfAll)}; ${giga(ceilings.bandwidth)} GB/s`,
    ...Object.entries(peers).map(([name, peer]) =>
      'missing' in peer ? `${name} is missing: ${peer.missing}` : `${name}: ${peer.version}`,
    ),
    ...(Object.keys(cases).length === 0 ? [] : [READ_THIS]),
    ...Object.entries(cases).flatMap(([name, found]) => caseLines(name, found, rounds)),
    ...latencyLines(results),
    ...opsLines(results),
    ...loadLines(results),
    ...translationLines(results),
    ...ratioLines(results),
    ...againstLines(results),
  ]
  return `${lines.join('\n')}\n`
}

function ratioLines(results: Results): string[] {
  const names = Object.keys(results.cases)
  if (names.length === 0) return []
  return [
    '\nours over the best peer, in tokens/s, and how many multiplications each does for a token',
    aligned([RATIO_COLUMNS, ...names.flatMap(name => ratioCells(name, results))]),
  ]
}

function againstLines({ against }: Results): string[] {
  if (against === null) return []
  const { directory, version, ratios, latency, latencyOps, translation } = against
  const number = (value: number | null | undefined) => ratio(value ?? null)
  const cases = Object.entries(ratios).map(([name, of]) => [name, ...passes.map(pass => number(of[pass]))])
  const cells = Object.entries(latency ?? {}).flatMap(([H, ofH]) =>
    Object.entries(ofH).map(([B, of]) => [`H ${H}, B ${B}`, number(of.ratio), number(of.awaitedRatio)]),
  )
  const ops = latencyOps === null ? [] : workNames.map(name => [works[name].about, number(latencyOps[name])])
  const steps = translation === null ? [] : setNames.map(set => [sets[set], number(translation[set])])
  return [
    `\nours over packed-rnn ${version} in ${directory}`,
    ...(cases.length === 0 ? [] : [aligned([['', ...passes.map(pass => NAMES[pass])], ...cases])]),
    ...(cells.length === 0 ? [] : [aligned([['', 'streamed', 'awaited'], ...cells])]),
    ...(ops.length === 0 ? [] : [aligned(ops)]),
    ...(steps.length === 0 ? [] : [aligned(steps)]),
  ]
}

function caseLines(name: string, found: CaseResult, rounds: number): string[] {
  const { about, largestError, othersCores, rows, failed } = found
  const others = othersCores === null ? '' : `; other processes took ${othersCores.toFixed(1)} cores`
  const cells = rows.flatMap(row => {
    const timed = passes.filter(pass => row[pass] !== null)
    return timed.map((pass, i) => passCells(i === 0 ? row.who : '', pass, row[pass], peakOf(row, pass)))
  })
  return [
    `\n${name}: ${about}; off the float64 reference by ${largestError.toExponential(1)}${others}`,
    aligned([COLUMNS, ...cells]),
    ...rows.flatMap(({ who, note }) => (note === null ? [] : `  ${who}: ${note}`)),
    ...rows.flatMap(row => fewerRounds(row, rounds)),
    ...Object.entries(failed).map(([peer, reason]) => `  ${peer} was left out: ${reason}`),
  ]
}

/** One process does all passes, so that its memory is that of the steps; ours has another one for the forward pass. */
function peakOf(row: Row, pass: Pass): number | null {
  return pass === 'forward' ? row.forwardPeakBytes : pass === 'step' ? row.peakBytes : null
}

function passCells(who: string, pass: Pass, found: Measured | null, peak: number | null): string[] {
  if (found === null) return []
  const percent = (share: number) => `${(100 * share).toFixed(share < 0.01 ? 1 : 0)} %`
  return [
    ...[who, NAMES[pass], (1000 * found.seconds).toFixed(found.seconds < 0.1 ? 1 : 0)],
    ...[
      String(Math.round(found.tokensPerSecond)),
      thousands(found.multiplicationsPerToken),
      found.gflops.toFixed(1),
      percent(found.shareOfPeak),
    ],
    found.javascript === null ? '' : percent(found.javascript),
    peak === null ? '' : (peak / 2 ** 20).toFixed(0),
    found.oursIsFasterBy === null ? '' : found.oursIsFasterBy.toFixed(2),
  ]
}

function fewerRounds(row: Row, rounds: number): string[] {
  const { who } = row
  const least = Math.min(...passes.flatMap(pass => row[pass]?.samples.length ?? []))
  return least < rounds ? [`  ${who}: ${least} of ${rounds} rounds, for it is slow`] : []
}

function ratioCells(given: string, { ratios, multiplications }: Results): string[][] {
  const name = caseNames.find(known => known === given)!
  return passes.map(pass => {
    const beside = multiplications[name]?.[pass]
    const counts = beside ? [thousands(beside.ours), thousands(beside.best), beside.peer] : []
    return [name, NAMES[pass], ratio(ratios[name]?.[pass] ?? null), ...counts]
  })
}

function thousands(count: number): string {
  return `${(count / 1000).toFixed(count < 100_000 ? 1 : 0)} k`
}

function ratio(value: number | null): string {
  return value === null ? '–' : value.toFixed(2)
}

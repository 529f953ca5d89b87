/** Another checkout of the package that takes turns like a peer. Its `dist` and its addon answer this checkout's requests. */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { CaseName } from './cases.js'
import type { WorkName } from './latency/ops/numbers.js'
import type { OpsResults } from './latency/ops/run.js'
import type { LatencyCell } from './latency/run.js'
import { OURS } from './ourSide.js'
import { byCase, type CaseResult, type Ratios } from './rows.js'
import { type SetName, setNames } from './translation/batches.js'
import type { TranslationResults } from './translation/run.js'

export interface Against {
  who: string
  directory: string
  version: string
  /** The URL of the module to import. */
  library: string
}

/** The results of the other checkout: its time per token divided by ours. */
export interface AgainstResults {
  directory: string
  version: string
  ratios: Partial<Record<CaseName, Ratios>>
  /** By H and B, streamed and awaited; null if not requested. */
  latency: Record<string, Record<string, { ratio: number | null; awaitedRatio: number | null }>> | null
  /** For each small workload; null if not requested. */
  latencyOps: Partial<Record<WorkName, number | null>> | null
  /** For each set of sentence pairs; null if not requested. */
  translation: Partial<Record<SetName, number | null>> | null
}

/** Results that are timed only if they are requested, or null. */
interface Requested {
  latency: Record<string, Record<string, LatencyCell>> | null
  ops: OpsResults['rows'] | null
  translation: TranslationResults['sets'] | null
}

/** @returns the checkout; null if the directory has no built one */
export function findAgainst(given: string): Against | null {
  const directory = resolve(given)
  const dist = join(directory, 'dist')
  // Before 0.2 there was one entry point.
  const file = ['compat.js', 'index.js'].map(name => join(dist, name)).find(existsSync)
  const manifest = join(directory, 'package.json')
  if (file === undefined || !existsSync(manifest)) return null
  const { version }: { version: string } = JSON.parse(readFileSync(manifest, 'utf8'))
  return { who: `${OURS} in ${given}`, directory, version, library: pathToFileURL(file).href }
}

export function againstResults(
  { who, directory, version }: Against,
  cases: Partial<Record<CaseName, CaseResult>>,
  { latency, ops, translation }: Requested,
): AgainstResults {
  const ratios = byCase(
    cases,
    (rows, pass) => rows.find(row => row.who === who)?.[pass]?.oursIsFasterBy ?? null,
  )
  const cells = Object.entries(latency ?? {}).map(([H, ofH]) => [
    H,
    Object.fromEntries(Object.entries(ofH).map(([B, cell]) => [B, latencyRatios(who, cell)])),
  ])
  const ofOps = Object.entries(ops ?? {}).map(([name, { ours, sides }]) => {
    const other = sides[who]
    return [name, other ? other.microseconds / ours : null]
  })
  return {
    ...{ directory, version, ratios },
    latency: latency === null ? null : Object.fromEntries(cells),
    latencyOps: ops === null ? null : Object.fromEntries(ofOps),
    translation:
      translation &&
      Object.fromEntries(setNames.map(set => [set, translation[set].sides[who]?.oursIsFasterBy ?? null])),
  }
}

function latencyRatios(who: string, { ours, awaited, sides }: LatencyCell) {
  const other = sides[who]
  return {
    ratio: other?.streamed ? other.streamed.microseconds / ours : null,
    awaitedRatio: other ? other.awaited.microseconds / awaited : null,
  }
}

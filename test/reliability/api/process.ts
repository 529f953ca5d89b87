import { writeSync } from 'node:fs'
import fc from 'fast-check'
import { attentionCalls } from './attentionCalls.js'
import { explainCalls, slowExplainCalls } from './explainCalls.js'
import { fileCalls, slowFileCalls } from './fileCalls.js'
import { Hostile } from './hostile.js'
import { layerCalls } from './layerCalls.js'
import { lossCalls } from './lossCalls.js'
import { metricCalls } from './metricCalls.js'
import { moduleCalls } from './moduleCalls.js'
import { type Call, opCalls } from './opCalls.js'
import { packedCalls } from './packedCalls.js'
import { sentenceCalls, slowSentenceCalls } from './sentenceCalls.js'
import { sequenceCalls } from './sequenceCalls.js'
import { shapeCalls } from './shapeCalls.js'
import { tapeCalls } from './tapeCalls.js'
import { slowTaskCalls } from './taskCalls.js'
import { textCalls } from './textCalls.js'
import { slowTrainingCalls, trainingCalls } from './trainingCalls.js'
import { checkError, DEVICES, type Tally, World } from './world.js'

/**
 * `node process.js SEED SEQUENCES [CALLS]`: sequences of calls in a separate process, which a native crash ends. A line on
 * stdout before each, with which it can be run again as CALLS. The last line counts results and errors.
 * PACKED_RNN_FUZZ_DEVICE=cuda draws them on CUDA.
 */

const quick = joined(
  ...[opCalls, tapeCalls, shapeCalls, sequenceCalls, attentionCalls, lossCalls],
  ...[packedCalls, moduleCalls, layerCalls, trainingCalls],
  ...[metricCalls, textCalls, sentenceCalls, fileCalls, explainCalls],
)
/** All together drawn as often as three of the others. */
const slow = joined(
  ...[slowTrainingCalls, slowTaskCalls],
  ...[slowFileCalls, slowSentenceCalls, slowExplainCalls],
)
const calls = joined(quick, slow)

function joined(...families: Record<string, Call>[]): Record<string, Call> {
  const names = families.flatMap(family => Object.keys(family))
  if (new Set(names).size < names.length) throw new Error(`a name twice: ${names.sort()}`)
  return Object.assign({}, ...families)
}

/** The calls to draw, where a family is looked at. */
const only = process.env.PACKED_RNN_FUZZ_CALLS?.split(',')
const tally: Tally = new Map()

/** The name of a call and the seed of its arguments. */
type Drawn = readonly [name: string, seed: number]

async function run(sequence: readonly Drawn[]): Promise<void> {
  writeSync(1, `${JSON.stringify(sequence)}\n`)
  const world = new World(new Hostile(sequence[0]?.[1] ?? 0), tally)
  for (const [name, seed] of sequence) {
    world.hostile.seed(seed)
    try {
      world.attempt(name, () => calls[name]!(world))
    } catch (cause) {
      const reason = cause instanceof Error ? cause.stack : String(cause)
      throw new Error(`${name}, seed ${seed}: ${reason}`, { cause })
    }
    if (seed % 7 === 0) await world.settle()
  }
  await world.settle()
  world.dispose()
  // CUDA reports an index that was computed out of range at the next wait, which must not be one of the next sequence.
  for (const device of DEVICES) await device.synchronize().catch(checkError)
}

const [seed = '1', sequences = '10', replayed] = process.argv.slice(2)
if (replayed !== undefined) await run(JSON.parse(replayed))
else {
  const some = (of: Record<string, Call>) => fc.constantFrom(...Object.keys(of))
  const name = fc.oneof(
    { weight: Object.keys(quick).length, arbitrary: some(quick) },
    { weight: 3, arbitrary: some(slow) },
  )
  const drawn = fc.tuple(only === undefined ? name : fc.constantFrom(...only), fc.nat(2 ** 31 - 1))
  const property = fc.asyncProperty(fc.array(drawn, { minLength: 1, maxLength: 60, size: 'max' }), run)
  await fc.assert(property, { seed: Number(seed), numRuns: Number(sequences), includeErrorInReport: true })
}
// What a tape held for a backward pass that never came goes when it is garbage; then nothing is held any more.
for (let round = 0; round < 20; round++) {
  globalThis.gc?.()
  await new Promise(resolve => setTimeout(resolve, 5))
}
for (const device of DEVICES) await device.synchronize().catch(() => {})
const held = DEVICES.map(device => device.memory().held)
writeSync(1, `${JSON.stringify({ tally: Object.fromEntries(tally), held })}\n`)

import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join as joinPath } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type HostTensor, readSafetensors } from '../../formats/safetensors.js'
import { type BenchCase, cases, inputsOf } from '../cases.js'
import { checkClose, toleranceOf } from '../close.js'
import { type Missing, nameIn, type Ours, type Peer, type Setting, type Turn } from '../context.js'
import { splitEqualLengths } from '../equalLengths.js'
import { multiplicationsByPass } from '../multiplications.js'
import { readNumbers } from '../numbers.js'
import { type Pass, passes } from '../passes.js'
import { BenchProcess } from '../process.js'

const SOURCE = fileURLToPath(new URL('../../../bench/peers/onednn_lstm.cpp', import.meta.url))
const WHO = 'oneDNN LSTM, equal lengths'

const programIn = (folder: string) => joinPath(folder, 'onednn_lstm')

/** Compiles the peer into a folder. */
export async function findOneDnn(folder: string): Promise<Peer | Missing> {
  const program = programIn(folder)
  const run = promisify(execFile)
  try {
    await run('g++', ['-O2', '-std=c++17', SOURCE, '-ldnnl', '-o', program])
    const { stdout } = await run(program, ['version'])
    const version = `oneDNN ${stdout.trim()}`
    return { version, join: (setting, ours) => join(program, 'float32', setting, ours) }
  } catch {
    return { missing: 'g++ cannot build bench/peers/onednn_lstm.cpp: apt-get install g++ libdnnl-dev' }
  }
}

/** The same in bfloat16, for which it takes AMX by itself; `peer` has been found in the same folder. */
export function oneDnnInBfloat16({ version }: Peer, folder: string): Peer {
  return { version, join: (setting, ours) => join(programIn(folder), 'bfloat16', setting, ours) }
}

async function join(program: string, precision: 'float32' | 'bfloat16', setting: Setting, ours: Ours) {
  const spec = cases[setting.name]
  if (spec.cell !== 'lstm') return null
  const { name, threads, documents, tokens, parameters, folder } = setting
  const steps = Math.max(1, Math.round(tokens / documents))
  const layers = Array.from({ length: spec.numLayers }, (_, l) => String(inputsOf(spec, l)))
  const shape = [steps, documents, spec.hiddenSize, spec.bidirectional ? 2 : 1].map(String)
  const env = { ...process.env, OMP_NUM_THREADS: String(threads), OMP_PROC_BIND: 'true' }
  const weights = joinPath(folder, `${name}.${precision}.weights`)
  const { tensors } = readSafetensors(await readFile(parameters), parameters)
  await writeFile(weights, weightsOf(spec, tensors))
  const child = new BenchProcess('oneDNN', program, [precision, weights, ...shape, ...layers], env)
  try {
    await child.answer()
    for (const pass of passes) {
      const given = { pass, steps, sequences: documents }
      const file = joinPath(folder, `${name}-onednn.${precision}.f32`)
      await child.ask(`check ${pass} ${file}`)
      const found = splitEqualLengths(spec, given, await readNumbers(file))
      const wanted = splitEqualLengths(spec, given, await ours.equalLengths(given))
      checkClose(found, wanted, toleranceOf(precision), pass)
    }
  } catch (error) {
    await child.close()
    throw error
  }
  const who = nameIn(precision, WHO)
  const rows = steps * documents
  const work = multiplicationsByPass(spec, { rows, inputRows: rows, inputGradient: true })
  const turn = (pass: Pass): Turn => ({
    ...{ who, pass, question: pass },
    tokens: rows,
    multiplications: work[pass],
  })
  return {
    process: child,
    alone: true,
    precision,
    turns: passes.map(turn),
    notes: {
      [who]: `${documents} sequences of ${steps} rows each; no embedding, loss, clipping or optimiser`,
    },
  }
}

/** The weights in the order that the program reads. It takes the sum of both biases. */
function weightsOf(
  { numLayers, bidirectional }: BenchCase,
  parameters: ReadonlyMap<string, HostTensor>,
): Uint8Array {
  const of = (name: string): Float32Array => {
    const found = parameters.get(`recurrent.${name}`)
    if (found?.dtype !== 'float32') throw new Error(`no parameter recurrent.${name}`)
    return found.data
  }
  const parts = Array.from({ length: numLayers }, (_, l) =>
    (bidirectional ? ['', '_reverse'] : ['']).flatMap(suffix => {
      const second = of(`bias_hh_l${l}${suffix}`)
      const bias = of(`bias_ih_l${l}${suffix}`).map((v, i) => v + second[i]!)
      return [of(`weight_ih_l${l}${suffix}`), of(`weight_hh_l${l}${suffix}`), bias]
    }),
  ).flat()
  return Buffer.concat(parts.map(part => new Uint8Array(part.buffer, part.byteOffset, part.byteLength)))
}

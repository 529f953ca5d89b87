import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join as joinPath } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readSafetensors } from '../../formats/safetensors.js'
import { cases } from '../cases.js'
import { checkClose, toleranceOf } from '../close.js'
import type { Missing, Ours, Peer, Setting, Turn } from '../context.js'
import { multiplicationsOf } from '../multiplications.js'
import { readNumbers } from '../numbers.js'
import { BenchProcess } from '../process.js'
import { onnxModel } from './onnx.js'

const PACKAGE = 'onnxruntime-node'
const SCRIPT = fileURLToPath(new URL('./onnxruntimeProcess.js', import.meta.url))
/** Documents per batch. Which one is faster depends on the layers. */
const BATCHES = [4, 8]

/** Searched from the working directory, from this package, and in NODE_PATH. */
export async function findPackage(): Promise<{ version: string; file: string } | Missing> {
  const require = createRequire(import.meta.url)
  try {
    const paths = [process.cwd(), fileURLToPath(new URL('.', import.meta.url))]
    const file = require.resolve(PACKAGE, { paths })
    const manifest = require.resolve(`${PACKAGE}/package.json`, { paths })
    const { version }: { version: string } = JSON.parse(await readFile(manifest, 'utf8'))
    return { version: `${PACKAGE} ${version}`, file }
  } catch {
    return {
      missing: `not installed: npm install --no-save --ignore-scripts ${PACKAGE}, in a folder whose node_modules NODE_PATH names`,
    }
  }
}

export async function findOnnxRuntime(): Promise<Peer | Missing> {
  const found = await findPackage()
  if ('missing' in found) return found
  const { version, file } = found
  return { version, join: (setting, ours) => join(file, setting, ours) }
}

async function join(library: string, setting: Setting, ours: Ours) {
  const { name, parameters, folder, tokens } = setting
  const { tensors } = readSafetensors(await readFile(parameters), parameters)
  const model = joinPath(folder, `${name}.onnx`)
  await writeFile(model, onnxModel(cases[name], tensors))
  const config = JSON.stringify({ ...setting, library, model, batches: BATCHES })
  const child = new BenchProcess(PACKAGE, process.execPath, [SCRIPT, config])
  const rows = new Map<number, number>()
  try {
    await child.answer()
    const wanted = await ours.states()
    for (const size of BATCHES) {
      const file = joinPath(folder, `${name}-${size}.f32`)
      await child.ask(`states ${size} ${file}`)
      const states = await readNumbers(file)
      const about = `batches of ${size}`
      checkClose({ states }, { states: wanted }, toleranceOf('float32'), about)
      rows.set(size, (await child.ask(`rows ${size}`)).number('rows'))
    }
  } catch (error) {
    await child.close()
    throw error
  }
  const multiplications = (size: number) => {
    const padded = rows.get(size) ?? 0
    return multiplicationsOf(cases[name], { rows: padded, inputRows: padded, inputGradient: false }).forward
  }
  const note = "the layers alone: rows are looked up and padded to a batch's longest beforehand"
  const who = (size: number) => `${PACKAGE}, sorted, batches of ${size}`
  return {
    process: child,
    turns: BATCHES.map(
      (size): Turn => ({
        ...{ who: who(size), pass: 'forward', tokens, question: `run ${size}` },
        multiplications: multiplications(size),
      }),
    ),
    notes: Object.fromEntries(BATCHES.map(size => [who(size), note])),
  }
}

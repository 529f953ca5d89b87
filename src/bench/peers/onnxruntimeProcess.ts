// The peer onnxruntime-node, in batches of documents of similar length. Requests:
//
//   run SIZE          runs all documents in batches of SIZE: {"seconds"}
//   rows SIZE         the rows of these batches, including padding: {"rows"}
//   states SIZE FILE  writes the last hidden states, [B, D·H] float32 in the order of the documents
import { writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { cases, INPUT_SIZE } from '../cases.js'
import type { Setting } from '../context.js'
import { loadDocuments } from '../documents.js'
import { hashed } from '../hashed.js'

/** The part of the package that is used here. */
interface Tensor {
  data: Float32Array
}
interface Library {
  Tensor: new (type: 'float32' | 'int32', data: Float32Array | Int32Array, dims: number[]) => Tensor
  InferenceSession: {
    create(file: string, options: Record<string, unknown>): Promise<Session>
  }
}
interface Session {
  run(feeds: Record<string, Tensor>): Promise<{ states: Tensor }>
}

interface Part {
  /** The documents in it. */
  places: number[]
  feeds: Record<string, Tensor>
}

const setting: Setting & { library: string; model: string; batches: number[] } = JSON.parse(process.argv[2]!)
const library: Library = createRequire(import.meta.url)(setting.library)
const session = await library.InferenceSession.create(setting.model, {
  intraOpNumThreads: setting.threads,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
})
const { documents } = await loadDocuments(setting.folder)
const { hiddenSize: H, bidirectional } = cases[setting.name]
const D = bidirectional ? 2 : 1
const vectors = hashed(setting.words * INPUT_SIZE)
const batches = new Map(setting.batches.map(size => [String(size), partsOf(size)]))

function partsOf(size: number): Part[] {
  const sorted = [...documents.keys()].sort((a, b) => documents[b]!.length - documents[a]!.length)
  return Array.from({ length: Math.ceil(sorted.length / size) }, (_, i) =>
    part(sorted.slice(i * size, (i + 1) * size)),
  )
}

/** x [T, B, 300], the longest document first, padded with zeros. */
function part(places: number[]): Part {
  const [T, B] = [documents[places[0]!]!.length, places.length]
  const x = new Float32Array(T * B * INPUT_SIZE)
  for (const [b, place] of places.entries()) {
    for (const [t, id] of documents[place]!.entries()) {
      x.set(vectors.subarray(id * INPUT_SIZE, (id + 1) * INPUT_SIZE), (t * B + b) * INPUT_SIZE)
    }
  }
  const lengths = Int32Array.from(places, place => documents[place]!.length)
  const feeds = {
    x: new library.Tensor('float32', x, [T, B, INPUT_SIZE]),
    lengths: new library.Tensor('int32', lengths, [B]),
  }
  return { places, feeds }
}

const answer = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`)
answer({ ready: true })
for await (const line of createInterface({ input: process.stdin })) {
  const [name, size, file] = line.split(' ')
  const parts = batches.get(size!)!
  if (name === 'rows') {
    answer({ rows: parts.reduce((sum, { feeds }) => sum + feeds.x!.data.length / INPUT_SIZE, 0) })
    continue
  }
  const start = performance.now()
  const states = new Float32Array(documents.length * D * H)
  for (const { places, feeds } of parts) {
    const { data } = (await session.run(feeds)).states // [D, B, H]
    for (const [b, place] of places.entries()) {
      for (let d = 0; d < D; d++) {
        const from = (d * places.length + b) * H
        states.set(data.subarray(from, from + H), (place * D + d) * H)
      }
    }
  }
  const seconds = (performance.now() - start) / 1000
  if (name === 'states') await writeFile(file!, states)
  answer({ seconds })
}

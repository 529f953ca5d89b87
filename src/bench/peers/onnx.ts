/** Encodes recurrent layers as ONNX models. Three kinds of protocol buffer fields are enough. */
import type { HostTensor } from '../../formats/safetensors.js'
import { type BenchCase, gatesOf, INPUT_SIZE } from '../cases.js'
import type { CellWeights } from '../latency/numbers.js'

/** ONNX's order of gates as indices of PyTorch's: i, o, f, g of i, f, g, o; z, r, n of r, z, n. */
const GATES = { lstm: [0, 3, 1, 2], gru: [1, 0, 2], rnn: [0] } as const
const OPS = { lstm: 'LSTM', gru: 'GRU', rnn: 'RNN' } as const
const OPSET = 14
const IR_VERSION = 8

/** Constants of onnx.proto: types of a tensor's elements, and of an attribute. */
const FLOAT = 1
const INT32 = 6
const INT64 = 7
const ATTRIBUTE_INT = 2
const ATTRIBUTE_STRING = 3
const ATTRIBUTE_INTS = 7

/** Encodes a field: its number and kind, then its value. A list is encoded as repeated fields. */
function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, BigInt(value))
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0))
    rest >>= 7n
  } while (rest > 0n)
  return Uint8Array.from(bytes)
}

const int = (field: number, value: number) => Buffer.concat([varint(field << 3), varint(value)])
const bytes = (field: number, value: Uint8Array) =>
  Buffer.concat([varint((field << 3) | 2), varint(value.length), value])
const text = (field: number, value: string) => bytes(field, Buffer.from(value))
const message = (field: number, parts: readonly Uint8Array[]) => bytes(field, Buffer.concat(parts))

/** TensorProto: dims 1, data_type 2, name 8, raw_data 9. */
function initializer(name: string, shape: number[], type: number, data: Uint8Array): Uint8Array {
  return message(5, [...shape.map(n => int(1, n)), int(2, type), text(8, name), bytes(9, data)])
}

function floats(name: string, shape: number[], parts: readonly Float32Array[]): Uint8Array {
  const data = Buffer.concat(parts.map(part => new Uint8Array(part.buffer, part.byteOffset, part.byteLength)))
  return initializer(name, shape, FLOAT, data)
}

/** NodeProto: input 1, output 2, op_type 4, attribute 5 (name 1, i 3, s 4, ints 8, type 20). */
function node(
  op: string,
  inputs: string[],
  outputs: string[],
  attributes: Record<string, number | string | number[]>,
): Uint8Array {
  const attribute = ([name, value]: [string, number | string | number[]]) => {
    if (typeof value === 'number') return [text(1, name), int(3, value), int(20, ATTRIBUTE_INT)]
    if (typeof value === 'string') return [text(1, name), text(4, value), int(20, ATTRIBUTE_STRING)]
    return [text(1, name), ...value.map(v => int(8, v)), int(20, ATTRIBUTE_INTS)]
  }
  return message(1, [
    ...inputs.map(name => text(1, name)),
    ...outputs.map(name => text(2, name)),
    text(4, op),
    ...Object.entries(attributes).map(entry => message(5, attribute(entry))),
  ])
}

/** ValueInfoProto: name 1, type 2, of a tensor 1: elem_type 1, shape 2, of dim 1: dim_value 1 or dim_param 2. */
function value(field: number, name: string, type: number, shape: (number | string)[]): Uint8Array {
  const dims = shape.map(n => message(1, [typeof n === 'number' ? int(1, n) : text(2, n)]))
  return message(field, [text(1, name), message(2, [message(1, [int(1, type), message(2, dims)])])])
}

/**
 * Returns a model with inputs x [T, B, 300] and lengths [B] (int32), and the output states [D, B, H] of the last layer.
 *
 * @param parameters by their common names
 */
export function onnxModel(spec: BenchCase, parameters: ReadonlyMap<string, HostTensor>): Uint8Array {
  const { cell, hiddenSize: H, numLayers, bidirectional } = spec
  const D = bidirectional ? 2 : 1
  const G = gatesOf[cell]
  /** Returns a parameter in ONNX's order of gates. */
  const gates = (name: string): Float32Array[] => {
    const found = parameters.get(`recurrent.${name}`)
    if (found?.dtype !== 'float32') throw new Error(`no parameter recurrent.${name}`)
    const size = found.data.length / G
    return GATES[cell].map(g => found.data.subarray(g * size, (g + 1) * size))
  }
  const graph: Uint8Array[] = []
  let x = 'x'
  let inputs = INPUT_SIZE
  for (let l = 0; l < numLayers; l++) {
    const ways = (bidirectional ? ['', '_reverse'] : ['']).map(suffix => `l${l}${suffix}`)
    const of = (kind: string) => ways.flatMap(way => gates(`${kind}_${way}`))
    const biases = ways.flatMap(way => [...gates(`bias_ih_${way}`), ...gates(`bias_hh_${way}`)])
    graph.push(
      floats(`w${l}`, [D, G * H, inputs], of('weight_ih')),
      floats(`r${l}`, [D, G * H, H], of('weight_hh')),
      floats(`b${l}`, [D, 2 * G * H], biases),
    )
    const last = l === numLayers - 1
    const attributes = {
      ...{ hidden_size: H, direction: bidirectional ? 'bidirectional' : 'forward' },
      ...(cell === 'gru' && { linear_before_reset: 1 }),
    }
    const outputs = last ? ['', 'states'] : [`y${l}`]
    graph.push(node(OPS[cell], [x, `w${l}`, `r${l}`, `b${l}`, 'lengths'], outputs, attributes))
    if (last) break
    // [T, D, B, H] to the next layer's [T, B, D·H]; 0 keeps a dimension
    graph.push(node('Transpose', [`y${l}`], [`t${l}`], { perm: [0, 2, 1, 3] }))
    const shape = new BigInt64Array([0n, 0n, -1n])
    graph.push(initializer(`s${l}`, [3], INT64, new Uint8Array(shape.buffer)))
    graph.push(node('Reshape', [`t${l}`, `s${l}`], [`x${l + 1}`], {}))
    x = `x${l + 1}`
    inputs = D * H
  }
  graph.push(
    text(2, 'layers'),
    value(11, 'x', FLOAT, ['T', 'B', INPUT_SIZE]),
    value(11, 'lengths', INT32, ['B']),
    value(12, 'states', FLOAT, [D, 'B', H]),
  )
  return modelOf(graph)
}

/**
 * Returns a model of one LSTM layer that reads a token: inputs x, h and c [1, B, H], outputs hN and cN [1, B, H].
 *
 * @param weights in PyTorch's order of gates
 */
export function onnxCell(H: number, { wIh, wHh, bIh, bHh }: CellWeights): Uint8Array {
  const gates = (numbers: Float32Array): Float32Array[] => {
    const size = numbers.length / gatesOf.lstm
    return GATES.lstm.map(g => numbers.subarray(g * size, (g + 1) * size))
  }
  const state = [1, 'B', H]
  return modelOf([
    floats('w', [1, 4 * H, H], gates(wIh)),
    floats('r', [1, 4 * H, H], gates(wHh)),
    floats('b', [1, 8 * H], [...gates(bIh), ...gates(bHh)]),
    node('LSTM', ['x', 'w', 'r', 'b', '', 'h', 'c'], ['', 'hN', 'cN'], { hidden_size: H }),
    text(2, 'cell'),
    ...['x', 'h', 'c'].map(name => value(11, name, FLOAT, state)),
    ...['hN', 'cN'].map(name => value(12, name, FLOAT, state)),
  ])
}

/** ModelProto: ir_version 1, graph 7, opset_import 8 (version 2) */
function modelOf(graph: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat([int(1, IR_VERSION), message(7, graph), message(8, [int(2, OPSET)])])
}

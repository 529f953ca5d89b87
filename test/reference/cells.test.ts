import { describe, expect, test } from 'vitest'
import { Generator } from '../../src/random.js'
import { type CellCase, type CellName, cellReference, cellReferenceBackward, gatesOf } from './cells.js'
import { G2, G4toG6 } from './golden.js'
import { finiteDifference } from './gradient.js'
import { packRows } from './lstm.js'

const sum = (values: Iterable<number>) => [...values].reduce((total, x) => total + x, 0)

test('G2: the final state of a GRU', () => {
  const { hN } = cellReference(G2.layer)
  G2.hN.forEach((h, i) => {
    expect(hN[i]).toBeCloseTo(h, 7)
  })
})

test.each(G4toG6)('$name: sums and norms of everything', golden => {
  const result = cellReference(golden.layer)
  const { dInput, dWeights, dH0, dC0 } = cellReferenceBackward(golden.layer, result, golden.gradients)
  const found = {
    output: packRows(result.outputs),
    hN: result.hN,
    cN: result.cN,
    dInput: packRows(dInput),
    dH0,
    dC0,
  }
  for (const [name, value] of Object.entries(golden.sums)) {
    expect(sum(found[name as keyof typeof found]), name).toBeCloseTo(value, 9)
  }
  for (const [name, value] of Object.entries(golden.norms)) {
    expect(Math.hypot(...found[name as keyof typeof found]), name).toBeCloseTo(value, 9)
  }
  expect(sum(found.output.map(x => x * x))).toBeCloseTo(golden.sumSquaredOutput, 9)
  expect(Math.hypot(...dWeights.flatMap(w => Object.values(w).flatMap(values => [...values])))).toBeCloseTo(
    golden.normDWeights,
    9,
  )
  golden.normsByPlace.forEach((norms, place) => {
    for (const [name, value] of Object.entries(norms)) {
      const gradient = new Map(Object.entries(dWeights[place]!)).get(name)!
      expect(Math.hypot(...gradient), `${place} ${name}`).toBeCloseTo(value, 7)
    }
  })
  golden.dInput00.forEach((value, i) => {
    expect(found.dInput[i]).toBeCloseTo(value, 9)
  })
})

describe.each<CellName>(['lstm', 'gru', 'resetFirstGru', 'tanh', 'relu'])('the gradients of %s', cell => {
  test('are finite differences', () => {
    const generator = new Generator(2)
    const draw = (n: number) => Float64Array.from({ length: n }, () => generator.uniform(-1, 1))
    const [I, H, P] = [2, 3, cell === 'lstm' ? 2 : 0]
    const R = P > 0 ? P : H
    const lengths = [3, 0, 2]
    const rows = (width: number) => lengths.map(n => Array.from({ length: n }, () => [...draw(width)]))
    const layer: CellCase = {
      ...{ cell, inputSize: I, hiddenSize: H, projSize: P, numLayers: 2, bidirectional: true },
      inputs: rows(I),
      weights: [I, I, 2 * R, 2 * R].map(inputs => ({
        wIh: draw(gatesOf[cell] * H * inputs),
        wHh: draw(gatesOf[cell] * H * R),
        bIh: draw(gatesOf[cell] * H),
        bHh: draw(gatesOf[cell] * H),
        ...(P > 0 && { wHr: draw(P * H) }),
      })),
      h0: draw(4 * 3 * R),
      c0: draw(4 * 3 * H),
    }
    const dCN = cell === 'lstm' ? draw(4 * 3 * H) : new Float64Array(4 * 3 * H)
    const gradients = { dOutput: rows(2 * R), dHN: draw(4 * 3 * R), dCN }
    const loss = () => {
      const { outputs, hN, cN } = cellReference(layer)
      const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => sum(Array.from(a, (x, i) => x * b[i]!))
      return (
        dot(packRows(outputs), packRows(gradients.dOutput)) + dot(hN, gradients.dHN) + dot(cN, gradients.dCN)
      )
    }
    const { dInput, dWeights, dH0, dC0 } = cellReferenceBackward(layer, cellReference(layer), gradients)
    const check = (values: Float64Array, gradient: ArrayLike<number>, name: string) => {
      const original = values.slice()
      const differences = finiteDifference(moved => {
        values.set(moved)
        return loss()
      }, original)
      values.set(original)
      for (const [i, difference] of differences.entries()) {
        expect(gradient[i], `${name}[${i}]`).toBeCloseTo(difference, 7)
      }
    }
    check(layer.h0, dH0, 'h0')
    if (cell === 'lstm') check(layer.c0, dC0, 'c0')
    layer.weights.forEach((weights, place) => {
      for (const [name, values] of Object.entries(weights)) {
        check(values, new Map(Object.entries(dWeights[place]!)).get(name)!, `${place} ${name}`)
      }
    })
    const flat = packRows(layer.inputs)
    const differences = finiteDifference(moved => {
      layer.inputs = split(moved, lengths, I)
      return loss()
    }, flat)
    packRows(dInput).forEach((value, i) => {
      expect(value).toBeCloseTo(differences[i]!, 7)
    })
  })
})

function split(rows: Float64Array, lengths: readonly number[], width: number): number[][][] {
  const values = [...rows]
  return lengths.map(n => Array.from({ length: n }, () => values.splice(0, width)))
}

/**
 * The LSTM in float64, one sequence and one step at a time: no packing, no batching, nothing from the product. What
 * the product computes is compared with this.
 *
 * A batch is `number[][][]`: [sequence][time][feature]; sequences differ in length, and length 0 is legal. States are
 * flat: [layers * directions][batch][hidden]. Weights are row-major with PyTorch's gate order i, f, g, o.
 */

/** One layer and direction: wIh [4H, in], wHh [4H, H], bIh [4H], bHh [4H]. */
export interface LstmWeights {
  wIh: Float64Array
  wHh: Float64Array
  bIh: Float64Array
  bHh: Float64Array
}

export interface LstmCase {
  inputs: number[][][]
  /** In layer * direction order: layer 0 forward, layer 0 reverse, layer 1 forward, … */
  weights: LstmWeights[]
  inputSize: number
  hiddenSize: number
  numLayers: number
  bidirectional: boolean
  /** Zero where they are absent. */
  h0?: Float64Array
  c0?: Float64Array
  /**
   * What dropout multiplies the output of `layer` by, for every layer but the last; `unit` counts over both
   * directions, forward first.
   */
  interlayerMasks?: (layer: number, sequence: number, t: number, unit: number) => number
}

/** One cell update, with all that its backward pass needs. */
interface Step {
  x: number[]
  hPrev: number[]
  cPrev: number[]
  i: number[]
  f: number[]
  g: number[]
  o: number[]
  c: number[]
  h: number[]
}

export interface LstmResult {
  /** [sequence][time][directions * hidden] */
  outputs: number[][][]
  hN: Float64Array
  cN: Float64Array
  /** [sequence][layer * direction][time] */
  steps: Step[][][]
}

/** Gradients of a loss by what the forward pass returned; zero where they are absent. */
export interface LstmOutputGradients {
  dOutput?: number[][][]
  dHN?: Float64Array
  dCN?: Float64Array
}

export interface LstmGradients {
  /** [sequence][time][feature] */
  dInput: number[][][]
  dWeights: LstmWeights[]
  dH0: Float64Array
  dC0: Float64Array
}

export function lstmReference(lstm: LstmCase): LstmResult {
  const { inputs, hiddenSize, numLayers } = lstm
  const directions = lstm.bidirectional ? 2 : 1
  const states = lstm.weights.length * inputs.length * hiddenSize
  const hN = new Float64Array(states)
  const cN = new Float64Array(states)
  const steps: Step[][][] = []

  const outputs = inputs.map((input, sequence) => {
    let layerInput = input
    steps[sequence] = []
    for (let layer = 0; layer < numLayers; layer++) {
      const runs = Array.from({ length: directions }, (_, direction) => {
        const place = layer * directions + direction
        const at = stateOffset(lstm, place, sequence)
        let h = slice(lstm.h0, at, hiddenSize)
        let c = slice(lstm.c0, at, hiddenSize)
        const run: Step[] = []
        for (const t of timeOrder(input.length, direction)) {
          run[t] = cellForward(lstm.weights[place]!, layerInput[t]!, h, c)
          h = run[t].h
          c = run[t].c
        }
        hN.set(h, at)
        cN.set(c, at)
        steps[sequence]!.push(run)
        return run
      })
      const output = input.map((_, t) => runs.flatMap(run => run[t]!.h))
      layerInput = masked(lstm, layer, sequence, output)
    }
    return layerInput
  })
  return { outputs, hN, cN, steps }
}

export function lstmReferenceBackward(
  lstm: LstmCase,
  { steps }: LstmResult,
  { dOutput, dHN, dCN }: LstmOutputGradients,
): LstmGradients {
  const { inputs, inputSize, hiddenSize, numLayers } = lstm
  const directions = lstm.bidirectional ? 2 : 1
  const states = lstm.weights.length * inputs.length * hiddenSize
  const dH0 = new Float64Array(states)
  const dC0 = new Float64Array(states)
  const dWeights = lstm.weights.map(({ wIh, wHh, bIh, bHh }) => ({
    wIh: new Float64Array(wIh.length),
    wHh: new Float64Array(wHh.length),
    bIh: new Float64Array(bIh.length),
    bHh: new Float64Array(bHh.length),
  }))

  const dInput = inputs.map((input, sequence) => {
    let dLayer = dOutput?.[sequence] ?? input.map(() => zeros(directions * hiddenSize))
    for (let layer = numLayers - 1; layer >= 0; layer--) {
      dLayer = masked(lstm, layer, sequence, dLayer)
      const dLayerInput = input.map(() => zeros(layer === 0 ? inputSize : directions * hiddenSize))
      for (let direction = 0; direction < directions; direction++) {
        const place = layer * directions + direction
        const at = stateOffset(lstm, place, sequence)
        let dH = slice(dHN, at, hiddenSize)
        let dC = slice(dCN, at, hiddenSize)
        for (const t of timeOrder(input.length, direction).reverse()) {
          const dHere = dLayer[t]!.slice(direction * hiddenSize, (direction + 1) * hiddenSize)
          const step = steps[sequence]![place]![t]!
          const back = cellBackward(lstm.weights[place]!, step, sum(dH, dHere), dC, dWeights[place]!)
          dLayerInput[t] = sum(dLayerInput[t]!, back.dX)
          dH = back.dHPrev
          dC = back.dCPrev
        }
        dH0.set(dH, at)
        dC0.set(dC, at)
      }
      dLayer = dLayerInput
    }
    return dLayer
  })
  return { dInput, dWeights, dH0, dC0 }
}

/** Sequences as rows back to back, [tokens, features], as a packed batch holds them. */
export function packRows(sequences: number[][][]): Float64Array {
  return Float64Array.from(sequences.flat(2))
}

function cellForward(w: LstmWeights, x: number[], hPrev: number[], cPrev: number[]): Step {
  const fromInput = sum(times(w.wIh, x, w.bIh.length), w.bIh)
  const fromState = sum(times(w.wHh, hPrev, w.bHh.length), w.bHh)
  const [ai, af, ag, ao] = gates(sum(fromInput, fromState))
  const i = ai.map(sigmoid)
  const f = af.map(sigmoid)
  const g = ag.map(Math.tanh)
  const o = ao.map(sigmoid)
  const c = cPrev.map((before, k) => f[k]! * before + i[k]! * g[k]!)
  const h = c.map((cell, k) => o[k]! * Math.tanh(cell))
  return { x, hPrev, cPrev, i, f, g, o, c, h }
}

/** Adds to `dW`. `dH` and `dC` are the whole gradients of this step's h and of the c that the next step reads. */
function cellBackward(w: LstmWeights, step: Step, dH: number[], dC: number[], dW: LstmWeights) {
  const { x, hPrev, cPrev, i, f, g, o, c } = step
  const dCell = dC.map((later, k) => later + dH[k]! * o[k]! * (1 - Math.tanh(c[k]!) ** 2))
  const dGates = [
    ...dCell.map((d, k) => d * g[k]! * i[k]! * (1 - i[k]!)),
    ...dCell.map((d, k) => d * cPrev[k]! * f[k]! * (1 - f[k]!)),
    ...dCell.map((d, k) => d * i[k]! * (1 - g[k]! ** 2)),
    ...dH.map((d, k) => d * Math.tanh(c[k]!) * o[k]! * (1 - o[k]!)),
  ]
  addOuter(dW.wIh, dGates, x)
  addOuter(dW.wHh, dGates, hPrev)
  addOuter(dW.bIh, dGates, [1])
  addOuter(dW.bHh, dGates, [1])
  return {
    dX: timesTransposed(w.wIh, dGates, x.length),
    dHPrev: timesTransposed(w.wHh, dGates, hPrev.length),
    dCPrev: dCell.map((d, k) => d * f[k]!),
  }
}

/** Multiplies by the dropout mask; its own derivative, so that forward and backward share it. */
function masked(lstm: LstmCase, layer: number, sequence: number, rows: number[][]): number[][] {
  const mask = lstm.interlayerMasks
  if (!mask || layer === lstm.numLayers - 1) return rows
  return rows.map((row, t) => row.map((value, unit) => value * mask(layer, sequence, t, unit)))
}

/** Time steps in the order in which a direction (0 forward, 1 reverse) reads them. */
function timeOrder(length: number, direction: number): number[] {
  const forward = Array.from({ length }, (_, t) => t)
  return direction === 0 ? forward : forward.reverse()
}

function stateOffset({ inputs, hiddenSize }: LstmCase, place: number, sequence: number): number {
  return (place * inputs.length + sequence) * hiddenSize
}

function slice(states: Float64Array | undefined, at: number, length: number): number[] {
  return states ? [...states.subarray(at, at + length)] : zeros(length)
}

function gates(a: number[]): [number[], number[], number[], number[]] {
  const H = a.length / 4
  return [a.slice(0, H), a.slice(H, 2 * H), a.slice(2 * H, 3 * H), a.slice(3 * H)]
}

function zeros(length: number): number[] {
  return new Array<number>(length).fill(0)
}

function sum(a: number[], b: ArrayLike<number>): number[] {
  return a.map((value, k) => value + b[k]!)
}

/** `matrix` [rows, x.length] times `x`. */
function times(matrix: Float64Array, x: number[], rows: number): number[] {
  const y: number[] = []
  for (let row = 0, at = 0; row < rows; row++) {
    let total = 0
    for (let column = 0; column < x.length; column++) total += matrix[at++]! * x[column]!
    y.push(total)
  }
  return y
}

/** The transpose of `matrix` [y.length, columns] times `y`. */
function timesTransposed(matrix: Float64Array, y: number[], columns: number): number[] {
  const x = zeros(columns)
  for (let row = 0, at = 0; row < y.length; row++) {
    const value = y[row]!
    for (let column = 0; column < columns; column++) x[column]! += matrix[at++]! * value
  }
  return x
}

/** `matrix` [y.length, x.length] += y xᵀ */
function addOuter(matrix: Float64Array, y: number[], x: number[]): void {
  for (let row = 0, at = 0; row < y.length; row++) {
    const value = y[row]!
    for (let column = 0; column < x.length; column++) matrix[at++]! += value * x[column]!
  }
}

function sigmoid(a: number): number {
  return 1 / (1 + Math.exp(-a))
}

import { badArgument } from '../errors.js'
import { empty, outlive, type Tensor } from '../tensor.js'

type Parameter = Tensor<'float32'>

/** A parameter with its gradient, as one step takes it. */
export interface Slot<State> {
  parameter: Parameter
  gradient: Parameter
  state: State
}

/** Parameters, the state kept for each, and the steps over those that have a gradient. */
export abstract class Optimizer<State> {
  readonly parameters: readonly Parameter[]
  learningRate: number
  readonly #states = new Map<Parameter, State>()

  constructor(op: string, parameters: readonly Parameter[], learningRate: number) {
    if (parameters.length === 0) throw badArgument(op, 'parameters', 'at least one parameter', parameters)
    this.parameters = parameters
    this.learningRate = learningRate
  }

  /** The state of a parameter that has its first gradient. */
  protected abstract start(parameter: Parameter): State
  protected abstract apply(slots: readonly Slot<State>[]): void

  /** One step over the parameters that have a gradient; the others, and their state, stay as they are. */
  step(): void {
    const slots: Slot<State>[] = []
    for (const parameter of this.parameters) {
      const gradient = parameter.grad
      if (gradient === null) continue
      const state = this.#states.get(parameter) ?? this.start(parameter)
      this.#states.set(parameter, state)
      slots.push({ parameter, gradient, state })
    }
    this.apply(slots)
  }

  /** Drops all gradients: a parameter without one is not stepped. */
  zeroGrad(): void {
    for (const parameter of this.parameters) {
      parameter.grad?.dispose()
      parameter.grad = null
    }
  }
}

/** State like a parameter, which outlives every scope; it is zeros when the first step that has memory for it runs. */
export function stateLike(parameter: Parameter): Parameter {
  return outlive(empty(parameter.device, parameter.shape))
}

import { describe, expect, test } from 'vitest'
import { device } from '../../src/device.js'
import * as nn from '../../src/nn/index.js'
import { mul } from '../../src/ops/elementwise.js'
import { sum } from '../../src/ops/reduce.js'
import { SGD } from '../../src/optim/index.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { memory, type Tensor, tensor, type Vector, zeros } from '../../src/tensor.js'

/** Modules as users write them: what a property registers, and under which name. */

const one = { inFeatures: 1, outFeatures: 1 }

class Net extends nn.Module {
  first = new nn.Linear({ inFeatures: 2, outFeatures: 3 })
  scale = nn.parameter(tensor([1, 2, 3]))
  mean = nn.buffer(zeros([3]))
  layers = new nn.ModuleList([new nn.Linear(one), new nn.Linear({ ...one, bias: false })])
  note = 'no part'
  words = ['no', 'parts']
  #hidden = new nn.Linear(one)
  hidden() {
    return this.#hidden
  }
}

const names = (named: readonly (readonly [string, unknown])[]) => named.map(([name]) => name)

describe('assigning a part to a property registers it', () => {
  test('parameters come before those of modules, in the order of the properties', () => {
    using net = new Net()
    expect(names(net.namedParameters())).toEqual([
      'scale',
      'first.weight',
      'first.bias',
      'layers.0.weight',
      'layers.0.bias',
      'layers.1.weight',
    ])
    expect(net.parameters().every(({ requiresGrad }) => requiresGrad)).toBe(true)
    expect(names(net.namedBuffers())).toEqual(['mean'])
    expect(net.buffers()[0]!.requiresGrad).toBe(false)
  })

  test('modules are listed before their children', () => {
    using net = new Net()
    expect(names(net.namedModules())).toEqual(['', 'first', 'layers', 'layers.0', 'layers.1'])
    expect(names(net.namedChildren())).toEqual(['first', 'layers'])
  })

  test('apply calls children before their parent', () => {
    using net = new Net()
    const order: string[] = []
    net.apply(module => order.push(net.namedModules().find(([, each]) => each === module)![0]))
    expect(order).toEqual(['first', 'layers.0', 'layers.1', 'layers', ''])
  })

  test('assigning another value replaces the previous one', async () => {
    using net = new Net()
    net.scale = nn.parameter(tensor([4, 5, 6]))
    const state = await net.stateDict()
    expect([...state.get('scale')!.data]).toEqual([4, 5, 6])
    net.first = new nn.Linear({ inFeatures: 5, outFeatures: 1 })
    expect(net.namedParameters()[1]![1].shape).toEqual([1, 5])
  })

  test('a recurrent layer uses a parameter that was replaced after a call', async () => {
    using gru = new nn.GRU({ inputSize: 1, hiddenSize: 2 })
    const x = tensor([1, 2], [2, 1])
    const before = await gru.forward(x).output.toArray()
    const other = nn.parameter(zeros([6, 1]))
    Reflect.set(gru, 'weight_ih_l0', other)
    expect(gru.weights[0]!.wIh).toBe(other)
    expect(await gru.forward(x).output.toArray()).not.toEqual(before)
  })

  test('a #private field is not registered', () => {
    using net = new Net()
    expect(net.modules()).not.toContain(net.hidden())
  })

  test.each([
    ['an array', () => [new nn.Linear(one)]],
    ['an array that begins with null', () => [null, new nn.Linear(one)]],
    ['an object', () => ({ inner: [new nn.Linear(one)] })],
  ])('a module in %s is an error that names ModuleList', (_, make) => {
    class Wrong extends nn.Module {
      parts: unknown = make()
    }
    const wrong = new Wrong()
    const message = `Wrong: parts: wanted nn.ModuleList, got a module in an array`
    for (const call of [() => wrong.parameters(), () => wrong.train(), () => wrong.zeroGrad()]) {
      expect(call).toThrow(message)
    }
  })

  test('a parameter in an array is an error', () => {
    class Wrong extends nn.Module {
      parts = [nn.parameter(tensor([1]))]
    }
    expect(() => new Wrong().parameters()).toThrow(
      'Wrong: parts: wanted a property for each parameter, got a parameter in an array',
    )
  })

  test('a tensor that is not marked is not registered', () => {
    class Plain extends nn.Module {
      table = zeros([2])
    }
    expect(new Plain().namedParameters()).toEqual([])
  })

  test('the result of an op cannot be a parameter', () => {
    const x = tensor([1], [1], { requiresGrad: true })
    expect(() => nn.parameter(mul(x, 2))).toThrow(/^nn.parameter: tensor: wanted a tensor without a history/)
  })

  test('registerParameter and its siblings accept names computed at run time', () => {
    class Named extends nn.Module {}
    const named = new Named()
    named.registerParameter('weight_0', tensor([1]))
    named.registerBuffer('seen', tensor([1]))
    named.registerModule('part', new nn.Linear(one))
    expect(names(named.namedParameters())).toEqual(['weight_0', 'part.weight', 'part.bias'])
    for (const name of ['a.b', '', 'train', 'weight_0']) {
      expect(() => named.registerParameter(name, tensor([1]))).toThrow('wanted a free name without a dot')
    }
  })

  test('the deprecated `child` and `parameter` still register parts', () => {
    class Old extends nn.Module {
      readonly inner: nn.Linear
      readonly bias: Vector
      constructor() {
        super({})
        this.inner = this.child('inner', new nn.Linear(one))
        this.bias = this.parameter<1>('bias', [2], Float32Array.of(1, 2))
      }
    }
    expect(names(new Old().namedParameters())).toEqual(['bias', 'inner.weight', 'inner.bias'])
  })
})

describe('shared parameters', () => {
  class Tied extends nn.Module {
    encoder = new nn.Linear({ inFeatures: 2, outFeatures: 2, bias: false })
    decoder = new nn.Linear({ inFeatures: 2, outFeatures: 2, bias: false })
    constructor() {
      super()
      this.decoder.weight = this.encoder.weight
    }
  }

  test('are listed, saved and disposed once, under their first name', async () => {
    const before = memory().tensors
    const tied = new Tied()
    expect(names(tied.namedParameters())).toEqual(['encoder.weight'])
    expect([...(await tied.stateDict()).keys()]).toEqual(['encoder.weight'])
    tied.dispose()
    // The decoder's own first weight is still there: it was replaced, not disposed.
    expect(memory().tensors - before).toBe(1)
  })

  test('load under each of their names', () => {
    using tied = new Tied()
    const entry = { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) }
    for (const keys of [['encoder.weight'], ['decoder.weight'], ['encoder.weight', 'decoder.weight']]) {
      const result = tied.loadStateDict(new Map(keys.map(key => [key, entry])))
      expect(result).toEqual({ missing: [], unexpected: [] })
    }
    expect(() => tied.loadStateDict(new Map())).toThrow(/^loadStateDict: encoder\.weight: wanted a value/)
  })

  test('a module in two places is visited once', () => {
    class Twice extends nn.Module {
      a = new nn.Linear(one)
      b = this.a
    }
    const twice = new Twice()
    expect(names(twice.namedParameters())).toEqual(['a.weight', 'a.bias'])
    expect(names(twice.namedModules())).toEqual(['', 'a'])
  })
})

test('a frozen module keeps its values, and trains again after unfreeze', async () => {
  using linear = new nn.Linear(one)
  const sgd = new SGD(linear.parameters(), { lr: 1 })
  const step = async () => {
    const before = await linear.weight.toArray()
    scope(() => {
      const x = tensor([1], [1, 1], { requiresGrad: true })
      sum(linear.forward(x)).backward()
      x.grad?.dispose()
    })
    sgd.step()
    linear.zeroGrad()
    return (await linear.weight.toArray())[0]! - before[0]!
  }
  linear.freeze()
  expect(linear.parameters()).toHaveLength(2)
  expect(await step()).toBe(0)
  linear.unfreeze()
  expect(await step()).toBeCloseTo(-1, 5)
})

test('to moves parameters, buffers and gradients, and keeps the tensor objects', async () => {
  const [from, other] = [device('cpu'), device('cpu', { threads: 1 })]
  using norm = new nn.BatchNorm1d({ numFeatures: 2, device: from })
  const { weight } = norm
  const rows = tensor([1, 2, 3, 4], [2, 2], { device: from })
  sum(norm.forward(rows)).backward()
  const [values, gradient] = [await weight!.toArray(), await weight!.grad!.toArray()]
  expect(await norm.to(other)).toBe(norm)
  expect(norm.weight).toBe(weight)
  for (const each of [...norm.parameters(), ...norm.buffers(), weight!.grad!]) expect(each.device).toBe(other)
  expect(await weight!.toArray()).toEqual(values)
  expect(await weight!.grad!.toArray()).toEqual(gradient)
  expect(norm.forward(tensor([1, 2, 3, 4], [2, 2], { device: other })).device).toBe(other)
  const foreign: unknown = {}
  await expect(norm.to(foreign as typeof other)).rejects.toThrow('nn.Module.to: device: wanted a Device')
})

test('mask counters are named by module and property', () => {
  const generator = new Generator(1)
  const rnn = new nn.LSTM({ inputSize: 1, hiddenSize: 1, numLayers: 2, dropout: 0.5, generator })
  class Masked extends nn.Module {
    drop = new nn.Dropout({ generator })
    weights = new nn.WeightDrop(rnn, { generator })
  }
  expect(names(new Masked().namedMasks())).toEqual(['drop.masks', 'weights.masks', 'weights.module.masks'])
})

describe('containers', () => {
  test('Sequential passes each output to the next layer, and names layers by number', async () => {
    using net = new nn.Sequential(
      new nn.Linear({ inFeatures: 2, outFeatures: 1, bias: false }),
      new nn.ReLU(),
    )
    net.loadStateDict(new Map([['0.weight', { shape: [1, 2], data: Float32Array.of(1, -1) }]]))
    const y = net.forward(tensor([3, 1, 1, 3], [2, 2]))
    expect([...(await y.toArray())]).toEqual([2, 0])
    expect([net.length, [...net].length]).toEqual([2, 2])
    const notALayer: unknown = { forward: (x: Tensor) => x }
    expect(() => new nn.Sequential(notALayer as nn.Layer)).toThrow(
      'nn.Sequential: layers[0]: wanted a Module',
    )
  })

  test('ModuleList has indices from both ends and can grow', () => {
    const list = new nn.ModuleList([new nn.Linear(one)])
    const last = new nn.Linear(one)
    list.append(last)
    expect([list.length, list.at(-1), [...list][1]]).toEqual([2, last, last])
    expect(() => list.at(2)).toThrow('nn.ModuleList: i: wanted an integer from -2 to 1, got 2')
    expect(names(list.namedParameters())).toEqual(['0.weight', '0.bias', '1.weight', '1.bias'])
  })
})

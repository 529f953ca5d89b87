import { describe, expect, test } from 'vitest'
import { Adam, cosineAnnealing, RMSprop, Scheduler, SGD } from '../../src/optim/index.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { memory } from '../../src/tensor.js'
import { expectClose, expectSameBits } from './compare.js'
import { type Fixture, fixtureTensor, readFixtures } from './fixtures.js'
import { leaf, optimizerOf, type Parameter, rules, setGradient } from './parameter.js'
import { everywhere, type Target, type Tolerance, UNIT } from './target.js'

const SIZES = [3, 40, 7]
/** The tolerance of a step that continues from rounded numbers. */
const ONE_STEP: Tolerance = everywhere(8 * UNIT)

/** Gradients depend only on the number of the step. The last parameter has none in the first three, and the second one in one. */
function setGradients(step: number, parameters: readonly Parameter[]): void {
  const generator = new Generator(100 + step)
  for (const [i, p] of parameters.entries()) {
    const gradient = Float32Array.from({ length: p.size }, () => generator.normal())
    const missed = (i === 2 && step < 3) || (i === 1 && step === 1)
    setGradient(p, missed ? null : gradient)
  }
}

export function optimizerStateSuite(target: Target): void {
  const values = SIZES.map((length, i) => {
    const generator = new Generator(i)
    return Float32Array.from({ length }, () => generator.uniform(-1, 1))
  })
  const read = (parameters: readonly Parameter[]) => Promise.all(parameters.map(p => p.toArray()))

  describe(`the state of optimisers on ${target.name}`, () => {
    test.each(rules)('5 steps have the bits of 2, a checkpoint and 3: $name', async rule => {
      const start = (from: readonly Float32Array[]) => {
        const parameters = from.map(each => leaf(target.open(), each))
        const optimizer = optimizerOf(rule, parameters)
        const rates = new Scheduler(optimizer, cosineAnnealing({ steps: 5 }))
        const run = (first: number, last: number) => {
          for (let step = first; step <= last; step++) {
            setGradients(step, parameters)
            optimizer.step()
            rates.step()
          }
        }
        return { parameters, optimizer, rates, run }
      }
      const whole = start(values)
      whole.run(0, 1)
      const resumed = start(await read(whole.parameters))
      // Requested before the next steps are issued, and awaited after them.
      const saved = whole.optimizer.stateDict()
      const savedRates = whole.rates.stateDict()
      whole.run(2, 4)
      resumed.optimizer.loadStateDict(await saved)
      resumed.rates.loadStateDict(savedRates)
      resumed.run(2, 4)

      const expected = await read(whole.parameters)
      for (const [i, found] of (await read(resumed.parameters)).entries()) {
        expectSameBits(found, expected[i]!, `parameter ${i}`)
      }
      const state = await whole.optimizer.stateDict()
      expect(await resumed.optimizer.stateDict()).toEqual(state)
      expect(JSON.parse(JSON.stringify(state.groups))).toEqual(state.groups)
    })

    test("has PyTorch's names, and no entry for a parameter without a step", async () => {
      const parameters = values.map(each => leaf(target.open(), each))
      const names = async (rule: (typeof rules)[number]) => {
        const optimizer = optimizerOf(rule, parameters)
        setGradients(0, parameters)
        optimizer.step()
        return [...(await optimizer.stateDict()).tensors.keys()].filter(key => !key.startsWith('0'))
      }
      const found = await Promise.all(rules.map(async rule => [rule.name, await names(rule)]))
      expect(Object.fromEntries(found)).toMatchObject({
        SGD: [],
        'SGD with momentum': ['1.step', '1.momentum_buffer'],
        Adam: ['1.step', '1.exp_avg', '1.exp_avg_sq'],
        'AdamW with other options': ['1.step', '1.exp_avg', '1.exp_avg_sq', '1.max_exp_avg_sq'],
        ASGD: ['1.step', '1.eta', '1.ax'],
        RMSprop: ['1.step', '1.square_avg'],
        'RMSprop, centred': ['1.step', '1.square_avg', '1.grad_avg'],
        'RMSprop with momentum': ['1.step', '1.square_avg', '1.momentum_buffer'],
        Adagrad: ['1.step', '1.sum'],
      })
    })

    test('contains the options, the shapes and the steps of each parameter', async () => {
      const device = target.open()
      const [p, q] = [leaf(device, [1, 2]), leaf(device, [3])]
      const adam = new Adam([{ parameters: [p], lr: 0.5 }, { parameters: [q] }], { betas: [0.5, 0.75] })
      setGradient(p, [2, 4])
      adam.step()
      adam.step()
      const { groups, tensors } = await adam.stateDict()
      const common = { betas: [0.5, 0.75], eps: 1e-8, weightDecay: 0, amsgrad: false, maximize: false }
      expect(groups).toEqual([
        { options: { lr: 0.5, ...common }, parameters: 1 },
        { options: { lr: 1e-3, ...common }, parameters: 1 },
      ])
      expect(Object.fromEntries(tensors)).toEqual({
        '0.step': { shape: [], data: Float32Array.of(2) },
        '0.exp_avg': { shape: [2], data: Float32Array.of(1.5, 3) },
        '0.exp_avg_sq': { shape: [2], data: Float32Array.of(1.75, 7) },
      })
    })

    test('state for an option that was off when it was saved starts as zeros', async () => {
      const p = leaf(target.open(), [1])
      const adam = new Adam([p])
      setGradient(p, [2])
      adam.step()
      adam.groups[0]!.amsgrad = true
      const state = await adam.stateDict()
      expect(state.tensors.get('0.max_exp_avg_sq')).toEqual({ shape: [1], data: Float32Array.of(0) })
      adam.loadStateDict(state)
      adam.step()
      expect((await adam.stateDict()).tensors.get('0.step')?.data[0]).toBe(2)
    })

    test('a state that does not fit is rejected, and nothing changes', async () => {
      const device = target.open()
      const p = leaf(device, [1, 2])
      const adam = new Adam([p])
      setGradient(p, [2, 4])
      adam.step()
      const state = await adam.stateDict()
      const [group] = state.groups
      const tensors = (changes: Record<string, { shape: number[]; data: Float32Array } | null>) => {
        const changed = new Map(state.tensors)
        for (const [name, value] of Object.entries(changes)) {
          if (value === null) changed.delete(name)
          else changed.set(name, value)
        }
        return { ...state, tensors: changed }
      }
      const zero = { shape: [1], data: new Float32Array(1) }
      const refused = (bad: typeof state) => () => adam.loadStateDict(bad)
      const op = 'optim.Adam.loadStateDict: '
      expect(refused({ ...state, groups: [] })).toThrow(`${op}groups: wanted 1 groups, got 0`)
      expect(refused({ ...state, groups: [{ ...group!, parameters: 2 }] })).toThrow(
        `${op}groups[0].parameters: wanted 1, got 2`,
      )
      const foreign = new SGD([p], { lr: 1 })
      await expect(
        foreign.stateDict().then(other => Reflect.apply(adam.loadStateDict, adam, [other])),
      ).rejects.toThrow(
        `${op}groups[0].options: wanted amsgrad, betas, eps, lr, maximize, weightDecay, got dampening, lr, `,
      )
      const negative = { ...group!, options: { ...group!.options, lr: -1 } }
      expect(refused({ ...state, groups: [negative] })).toThrow('optim.Adam: lr: wanted a number')
      expect(refused(tensors({ '0.exp_avg': zero }))).toThrow(`${op}0.exp_avg: wanted shape [2], got [1]`)
      expect(refused(tensors({ '0.step': null }))).toThrow(`${op}0.step: wanted a value, got undefined`)
      expect(refused(tensors({ '1.step': zero }))).toThrow(
        /tensors: wanted only names of this optimiser's state, got 1\.step$/,
      )
      expect(await adam.stateDict()).toEqual(state)
    })

    test('outlives the scope of a step and is freed by `dispose`', async () => {
      const p = leaf(target.open(), [1, 2])
      setGradient(p, [2, 4])
      const before = memory().tensors
      const adam = new Adam([p])
      scope(() => adam.step())
      expect(memory().tensors).toBe(before + 3)
      adam.loadStateDict(await adam.stateDict())
      expect(memory().tensors).toBe(before + 3)
      adam.dispose()
      expect(memory().tensors).toBe(before)
    })

    fromPyTorch(target)
  })
}

function fromPyTorch(target: Target): void {
  const { states } = readFixtures('optimizers.json')
  type Case = (typeof states)[number]
  const stateOf = (state: Record<string, Fixture>, keep: (name: string) => boolean) => {
    const entries = Object.entries(state).filter(([name]) => keep(name))
    return new Map(entries.map(([name, { shape, data }]) => [name, { shape, data: Float32Array.from(data) }]))
  }
  const load = async (fixture: Case, keep: (name: string) => boolean) => {
    const parameters = fixture.start.map(start => fixtureTensor(target, start, start.shape.length))
    const optimizer = optimizerOf(fixture, parameters)
    const { groups } = await optimizer.stateDict()
    optimizer.loadStateDict({ groups, tensors: stateOf(fixture.state, keep) })
    return { parameters, optimizer }
  }
  const goOn = async (fixture: Case, keep: (name: string) => boolean) => {
    const { parameters, optimizer } = await load(fixture, keep)
    for (const [k, p] of parameters.entries()) setGradient(p, fixture.gradients[k]!.data)
    optimizer.step()
    for (const [k, p] of parameters.entries())
      expectClose(await p.toArray(), fixture.after[k]!.data, ONE_STEP[target.precision], `parameter ${k}`)
    return optimizer.stateDict()
  }
  const counters = (name: string) => name.endsWith('.step')

  test.each(states)("a step continues from PyTorch's state: $name", async fixture => {
    await goOn(fixture, () => true)
  })

  const uncounted = ({ optimizer, options }: Case) =>
    ['SGD', 'RMSprop'].includes(optimizer) || (optimizer === 'Adagrad' && !('lrDecay' in options))

  test.each(states.filter(uncounted))(
    "a step continues from PyTorch's state without step counts: $name",
    async fixture => {
      const { tensors } = await goOn(fixture, name => !counters(name))
      expect([...tensors].filter(([name]) => counters(name)).map(([, { data }]) => [...data])).toEqual([
        [2],
        [2],
      ])
    },
  )

  test.each(states.filter(fixture => !uncounted(fixture)))(
    'a state without step counts is rejected: $name',
    async fixture => {
      await expect(load(fixture, name => !counters(name))).rejects.toThrow(
        `optim.${fixture.optimizer}.loadStateDict: 0.step: wanted a value, got undefined`,
      )
    },
  )

  test('a state with any other missing entry is rejected', async () => {
    const fixture = states.find(({ optimizer }) => optimizer === 'RMSprop')!
    const op = 'optim.RMSprop.loadStateDict: '
    for (const name of ['square_avg', 'grad_avg', 'momentum_buffer'])
      await expect(load(fixture, key => key !== `1.${name}`)).rejects.toThrow(
        `${op}1.${name}: wanted a value, got undefined`,
      )
  })

  test('options added in later versions are off if the state lacks them', async () => {
    const p = leaf(target.open(), [1])
    const plain = { lr: 0.5, alpha: 0.9, eps: 1e-8, weightDecay: 0 }
    const rmsprop = new RMSprop([p], { momentum: 0.9, centered: true, maximize: true })
    const state = new Map([['0.square_avg', { shape: [1], data: Float32Array.of(4) }]])
    const saved: { options: object; parameters: number } = { options: plain, parameters: 1 }
    Reflect.apply(rmsprop.loadStateDict, rmsprop, [{ groups: [saved], tensors: state }])
    expect(rmsprop.groups).toEqual([
      { ...plain, momentum: 0, centered: false, maximize: false, parameters: [p] },
    ])
  })
}

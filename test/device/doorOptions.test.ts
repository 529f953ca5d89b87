import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import { checkOptions, type OptionNames } from '../../src/check.js'
import * as rnn from '../../src/compat.js'
import { defaultGenerator } from '../../src/random.js'
import { bitsOf } from '../training/short.js'
import { UNWRITTEN } from './optionCall.js'
import { lstm, rows } from './optionCalls.js'
import { rejectionOf, thrownBy } from './own.js'
import { cpu, untyped, vector } from './refuses.js'
import { model, trainer } from './trainingOptionCalls.js'

/** What a call might have changed. */
async function everything() {
  const optimizer = await trainer.optimizer.stateDict()
  return {
    numbers: [await lstm.stateDict(), await model.stateDict()].map(state =>
      bitsOf({ model: state, optimizer }),
    ),
    masks: model.lstm.masks.step,
    drawn: defaultGenerator().position,
    tensors: rnn.memory().tensors,
    written: existsSync(UNWRITTEN),
  }
}

describe('an unknown option is rejected, and the message suggests the nearest one', () => {
  test.each(rows)('%s: %s', async (_, wanted, call) => {
    const [place, unknown = '', nearest] = /^(.*)\.(\w+), as (\w+)$/.exec(wanted)!.slice(1)
    const before = await everything()
    // Undefined, and unknown all the same.
    const error = await rejectionOf((async () => call({ [unknown]: undefined }))())
    expect(error.message).toBe(
      `${place}.${unknown}: wanted a known option, perhaps ${nearest}, got ${unknown}`,
    )
    expect(error.code).toBe('ERR_INVALID_ARGUMENT')
    expect(await everything(), 'the call has done nothing').toEqual(before)
  })
})

describe('options', () => {
  const { optim } = rnn
  const p = vector(3)
  const [step, shape] = [{ seed: 1, step: 0 }, [1] as const]

  test.each<[message: string, call: () => unknown]>([
    ['optim.Adam: options: wanted an object, got 0.1', () => new optim.Adam([p], untyped(0.1))],
    ['optim.SGD: options: wanted an object, got null', () => new optim.SGD([p], untyped(null))],
    ['full: options: wanted an object, got cpu', () => rnn.zeros(shape, untyped('cpu'))],
    ['full: options: wanted an object, got []', () => rnn.full(shape, 1, untyped([]))],
    ['stepDecay: options: wanted an object, got undefined', () => optim.stepDecay(untyped(undefined))],
    ['dropout: options: wanted an object, got 3', () => rnn.dropout(p, 0.5, untyped(3))],
    // A device where its options go, and the index that `map` passes.
    [
      'tensor: options.queue: wanted a known option, one of device, requiresGrad, got queue',
      () => rnn.tensor([1], shape, untyped(cpu)),
    ],
    [
      'Vocabulary.fromWords: options: wanted an object, got 0',
      () => untyped<string[][]>([['a']]).map(untyped(rnn.text.Vocabulary.fromWords)),
    ],
  ])('%s', (message, call) => {
    const error = thrownBy(call)
    expect([error.code, error.message]).toEqual(['ERR_INVALID_ARGUMENT', message])
  })

  test.each(['constructor', '__proto__', 'toString', '', '_', '0'])(
    "'%s' is rejected without a suggestion",
    name => {
      const given = Object.defineProperty({}, name, { value: 1, enumerable: true })
      const wanted = 'a known option, one of seed, step, stream, sequences, directions'
      const message = `dropout: place.${name}: wanted ${wanted}, got ${name}`
      expect(() => rnn.dropout(p, 0.5, Object.assign(given, step))).toThrow(message)
    },
  )

  test('may be inherited, and known ones may be undefined', () => {
    const inherited: rnn.DropoutPlace = Object.create({ seed: 1, step: 0 })
    expect(() => rnn.dropout(p, 0.5, inherited).dispose()).not.toThrow()
    expect(() => rnn.zeros(shape, untyped({ device: undefined })).dispose()).not.toThrow()
  })

  test('are exactly those that the types have', () => {
    interface Some {
      a: number
      b?: number
    }
    const some: Some = { a: 1 }
    // @ts-expect-error b is missing
    const few: OptionNames<Some> = { a: true }
    // @ts-expect-error there is no c
    const many: OptionNames<Some> = { a: true, b: true, c: true }
    // @ts-expect-error b is missing
    checkOptions('f', some, { a: true })
    expect([few, many]).toHaveLength(2)
  })
})

describe('the public functions', () => {
  const index = fileURLToPath(new URL('../../src/compat.ts', import.meta.url))
  const config = ts.readConfigFile(
    fileURLToPath(new URL('../../tsconfig.json', import.meta.url)),
    ts.sys.readFile,
  )
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, '.')
  const program = ts.createProgram([index], options)
  const checker = program.getTypeChecker()

  /** Functions with an argument of such a name that does not hold options of ours. */
  const others = [
    ...['nn.Module', 'nn.RecurrentModule.forward'], // lets its subclasses' options through; abstract
    ...['optim.Optimizer.loadStateDict', 'training.saveCheckpoint'], // what a state dict or a trainer's state holds
    ...['training.Plateau.loadStateDict', 'training.NonMonotonic.loadStateDict'],
    'optim.OneCycle.loadStateDict',
    ...['training.TaskTrainer', 'training.TaskTrainer.fit'], // by Trainer, which extends it
    'PackedRnnError', // the options of JavaScript's Error
  ]

  /** Whether a parameter has one of the usual names of options. */
  const takesOptions = (declaration: ts.SignatureDeclaration) =>
    !ts.getJSDocTags(declaration).some(tag => tag.tagName.text === 'internal') &&
    declaration.parameters.some(({ name }) =>
      /^(options|defaults|place|packed|gradients|wanted|state)$/.test(name.getText()),
    )

  function named(module: ts.Symbol, prefix = ''): string[] {
    return checker.getExportsOfModule(module).flatMap(exported => {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
      if (symbol.flags & ts.SymbolFlags.ValueModule) return named(symbol, `${exported.name}.`)
      const name = prefix + exported.name
      return (symbol.declarations ?? []).flatMap(declaration => {
        if (ts.isFunctionDeclaration(declaration)) return takesOptions(declaration) ? [name] : []
        if (!ts.isClassDeclaration(declaration)) return []
        return declaration.members.flatMap(member => {
          if (ts.isConstructorDeclaration(member)) return takesOptions(member) ? [name] : []
          return ts.isMethodDeclaration(member) &&
            !ts.isPrivateIdentifier(member.name) &&
            takesOptions(member)
            ? [`${name}.${member.name.getText()}`]
            : []
        })
      })
    })
  }

  test('that take options are all called above', () => {
    const all = named(checker.getSymbolAtLocation(program.getSourceFile(index)!)!)
    expect(all.length).toBeGreaterThan(60)
    const called = [...others, ...rows.map(([name]) => name)]
    expect([...new Set(all.filter(name => !called.includes(name)))]).toEqual([])
  })
})

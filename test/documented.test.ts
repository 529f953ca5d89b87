import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'

const index = fileURLToPath(new URL('../src/index.ts', import.meta.url))
const config = fileURLToPath(new URL('../tsconfig.build.json', import.meta.url))

/** What an editor knows of the package: typedoc checks that everything is documented, and this what is said. */
const host: ts.ParseConfigFileHost = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: fail }
const program = ts.createProgram([index], ts.getParsedCommandLineOfConfigFile(config, {}, host)!.options)
const checker = program.getTypeChecker()

function fail(diagnostic: ts.Diagnostic): never {
  throw new Error(ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n'))
}

interface Documented {
  name: string
  text: string
}

/** The functions of a module, constants that are functions and those of its namespaces among them, each with what a hover shows. */
function functionsOf(module: ts.Symbol, prefix = ''): Documented[] {
  return checker.getExportsOfModule(module).flatMap(exported => {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
    if (symbol.flags & ts.SymbolFlags.ValueModule) return functionsOf(symbol, `${exported.name}.`)
    const called = checker.getTypeOfSymbol(symbol).getCallSignatures().length > 0
    return called ? [documented(symbol, prefix)] : []
  })
}

function documented(symbol: ts.Symbol, prefix: string): Documented {
  const tags = symbol.getJsDocTags(checker).map(tag => `@${tag.name} ${ts.displayPartsToString(tag.text)}`)
  const comment = ts.displayPartsToString(symbol.getDocumentationComment(checker))
  return { name: prefix + symbol.name, text: [comment, ...tags].join('\n') }
}

const functions = functionsOf(checker.getSymbolAtLocation(program.getSourceFile(index)!)!)

/** These have no argument that could be wrong, or nothing of their own that fails. */
const neverThrow = ['devices', 'explain.prefixes', 'memory', 'noGrad', 'scope']

describe('what an editor shows', () => {
  test('every function says which errors it throws, or is known to throw none', () => {
    expect(functions.length).toBeGreaterThan(60)
    const silent = functions.filter(({ text }) => !text.includes('@throws')).map(({ name }) => name)
    expect(silent.sort()).toEqual(neverThrow)
  })

  test.each(['lstmForward', 'gruForward', 'rnnForward'])('%s: shapes, source, results, errors', name => {
    const { text } = functions.find(each => each.name === name)!
    for (const part of ['@param x rows [N, I]', '[L · D, B, ', 'wIh [', 'torch.nn.', '@returns', '@throws']) {
      expect(text).toContain(part)
    }
  })

  test.each(['lstmBackward', 'gruBackward', 'rnnBackward'])('%s: shapes, results, errors', name => {
    const { text } = functions.find(each => each.name === name)!
    for (const part of ['[N, I]', '[L · D, B, ', '@returns', '@throws']) expect(text).toContain(part)
  })
})

import { badArgument } from '../errors.js'

/** Returns a name of a table of presets. @throws PackedRnnError ERR_INVALID_ARGUMENT if the name is unknown. */
export function nameIn<Name extends string>(presets: Readonly<Record<Name, unknown>>, name: string): Name {
  const known = Object.keys(presets)
  if (isIn(presets, name)) return name
  throw badArgument('preset', 'name', `one of ${known.join(', ')}`, name)
}

function isIn<Name extends string>(presets: Readonly<Record<Name, unknown>>, name: string): name is Name {
  return Object.hasOwn(presets, name)
}

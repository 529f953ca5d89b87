// Whether CHANGELOG.md and the package tell the same: its newest section is the version's, in three parts at most.

const PARTS = ['Added', 'Changed', 'Fixed']

/** Sentences, none where all is well. */
export function releaseFaults(version, lockedVersion, changelog) {
  const [, ...sections] = changelog.split(/^## /m)
  const [heading, ...lines] = sections[0]?.split('\n') ?? ['']
  const parts = lines.filter(line => line.startsWith('### ')).map(line => line.slice(4))
  const unknown = parts.filter(part => !PARTS.includes(part))
  return [
    ...(heading === version ? [] : [`CHANGELOG.md: wanted ${version} as its newest section, got ${heading}`]),
    ...(lockedVersion === version
      ? []
      : [`package-lock.json: wanted version ${version}, got ${lockedVersion}`]),
    ...unknown.map(part => `CHANGELOG.md: wanted ${PARTS.join(', ')}, got ${part}`),
    ...(parts.length > 0
      ? []
      : [`CHANGELOG.md: ${heading}: wanted what was ${PARTS.join(', ')}, got nothing`]),
  ]
}

// Checks that CHANGELOG.md matches the package: the newest section is the version's and has at most three parts.

const PARTS = ['Added', 'Changed', 'Fixed']

/** The faults as sentences; empty if there are none. */
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
    ...(parts.length > 0 ? [] : [`CHANGELOG.md: ${heading}: wanted a part ${PARTS.join(', ')}, got none`]),
  ]
}

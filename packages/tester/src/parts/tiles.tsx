/** Figures that one should see from afar. */
export function Tiles({ tiles }: { tiles: readonly (readonly [string, string])[] }) {
  return (
    <dl class="tiles">
      {tiles.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

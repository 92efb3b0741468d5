import React, { useEffect, useState } from 'react';

type Row = { id: number; title: string; done?: boolean };

interface Props {
  url: string;
  onSelect?: (row: Row) => void;
}

export function Panel({ url, onSelect }: Props): JSX.Element {
  const [rows, setRows] = useState<Row[]>([]);
  const [failed, setFailed] = useState(false);

  useEffect(() => {
    let gone = false;
    fetch(url)
      .then((response) => response.json())
      .then((loaded: Row[]) => {
        if (!gone) {
          setRows(loaded);
        }
      })
      .catch(() => {
        setFailed(true);
      });
    return () => {
      gone = true;
    };
  }, [url]);

  if (failed) {
    return <p className="failed">It's broken :( try again (later)</p>;
  }
  return (
    <section>
      <h1>{`Tasks (${rows.length})`}</h1>
      <ul>
        {rows.map((row) => (
          <li
            key={row.id}
            onClick={() => {
              onSelect?.(row);
            }}
          >
            {row.done ? 'done) ' : null}
            {row.title.replace(/[()]/g, '')}
          </li>
        ))}
      </ul>
      <footer>
        That's all (for now).
      </footer>
    </section>
  );
}

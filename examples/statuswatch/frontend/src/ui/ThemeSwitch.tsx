import { useState } from "react";
import { Icon, type IconName } from "./icons";
import { applyTheme, storedTheme, type Theme } from "./theme";

const THEMES: readonly (readonly [Theme, IconName, string])[] = [
  ["light", "sun", "Light"],
  ["system", "monitor", "As the system"],
  ["dark", "moon", "Dark"],
];

export function ThemeSwitch() {
  const [chosen, setChosen] = useState(storedTheme);
  return (
    <div className="themes" role="group" aria-label="Colours">
      {THEMES.map(([theme, icon, name]) => (
        <button
          key={theme}
          type="button"
          aria-pressed={theme === chosen}
          aria-label={name}
          title={name}
          onClick={() => {
            applyTheme(theme);
            setChosen(theme);
          }}
        >
          <Icon name={icon} />
        </button>
      ))}
    </div>
  );
}

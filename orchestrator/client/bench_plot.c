// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "orchestrator/client/bench.h"

#define PANEL_HEIGHT      260 /* pixels */
#define WIDTH             1200
#define SHELL_NOT_FOUND   127
#define COLUMN_LEVEL      3
#define COLUMN_CAP        4
#define SERVICE_LINE_SIZE 256

struct services {
    unsigned count;
    char names[BENCH_SERVICES_MAX][NAME_SIZE];
};

/* False: there are too many. */
static bool add_service(struct services *services, const char *name)
{
    for (unsigned i = 0; i < services->count; i++) {
        if (strcmp(services->names[i], name) == 0) {
            return true;
        }
    }
    if (services->count == BENCH_SERVICES_MAX) {
        return false;
    }
    (void)snprintf(services->names[services->count++], NAME_SIZE, "%s", name);
    return true;
}

/* The services of a series: its second column. */
static int find_services(const char *path, struct services *services, struct err *err)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return err_set(err, -errno, "%s cannot be read", path);
    }
    char line[SERVICE_LINE_SIZE];
    bool header = true;
    bool fits = true;
    while (fits && fgets(line, sizeof line, file) != NULL) {
        char *name = strchr(line, ',');
        char *end = name == NULL ? NULL : strchr(name + 1, ',');
        if (!header && end != NULL) {
            *end = '\0';
            fits = add_service(services, name + 1);
        }
        header = false;
    }
    (void)fclose(file); /* only read */
    return fits ? 0
                : err_set(err, -E2BIG,
                          "the scenario has more than BENCH_SERVICES_MAX (%d) services",
                          BENCH_SERVICES_MAX);
}

/* One line per service; the lines of the others count as missing. Names have only letters,
 * digits, dots and dashes, and no path has a quote. */
static void draw_panel(FILE *gnuplot, const struct bench_row *row,
                       const struct services *services, int column, const char *what)
{
    (void)fprintf(gnuplot, "set title '%s: %s'\nset yrange [0:%s]\nplot ", row->scheduler, what,
                  column == COLUMN_LEVEL ? "1" : "*");
    if (column == COLUMN_LEVEL) {
        (void)fputs("0.5 with lines dashtype 2 linecolor 'gray' notitle, ", gnuplot);
    }
    for (unsigned i = 0; i < services->count; i++) {
        (void)fprintf(gnuplot,
                      "%s'%s' using ($1/60):(strcol(2) eq '%s' ? $%d%s : NaN) with lines "
                      "title '%s'",
                      i == 0 ? "" : ", ", row->series, services->names[i], column,
                      column == COLUMN_CAP ? "/100" : "", services->names[i]);
    }
    (void)fputc('\n', gnuplot);
}

static void draw(FILE *gnuplot, const char *path, const struct bench_row *rows,
                 unsigned rows_count, const struct services *services)
{
    /* NaN, not 'nan': what an expression gives is then missing too and does not end a line. */
    (void)fprintf(gnuplot,
                  "set terminal svg size %d,%u background 'white'\nset output '%s'\n"
                  "set datafile separator ','\nset datafile missing NaN\nset grid\n"
                  "set key outside right\nset xlabel 'minutes'\n"
                  "set multiplot layout %u,2 columnsfirst\n",
                  WIDTH, PANEL_HEIGHT * rows_count, path, rows_count);
    for (unsigned i = 0; i < rows_count; i++) {
        draw_panel(gnuplot, &rows[i], services, COLUMN_LEVEL, "level");
    }
    for (unsigned i = 0; i < rows_count; i++) {
        draw_panel(gnuplot, &rows[i], services, COLUMN_CAP, "CPUs granted");
    }
    (void)fputs("unset multiplot\nunset output\n", gnuplot);
}

int bench_plot(const char *path, const struct bench_row *rows, unsigned rows_count,
               struct err *err)
{
    struct services services = {0};
    if (strchr(path, '\'') != NULL) {
        return err_set(err, -EINVAL, "a quote in the name of the plot");
    }
    if (strchr(rows[0].series, '\'') != NULL) { /* all have one folder */
        return err_set(err, -EINVAL, "a quote in the temporary folder, %s", rows[0].series);
    }
    const int rc = find_services(rows[0].series, &services, err);
    if (rc < 0) {
        return rc;
    }
    // NOLINTNEXTLINE(cert-env33-c): the command is constant
    FILE *gnuplot = popen("exec gnuplot", "we");
    if (gnuplot == NULL) {
        return err_set(err, -errno, "gnuplot cannot be started");
    }
    /* Where gnuplot ends early, that is an error, not our end. It keeps its own signals. */
    struct sigaction before;
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, &before);
    draw(gnuplot, path, rows, rows_count, &services);
    const bool written = fflush(gnuplot) == 0 && ferror(gnuplot) == 0;
    const int status = pclose(gnuplot);
    (void)sigaction(SIGPIPE, &before, NULL);
    if (status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == SHELL_NOT_FOUND) {
        return err_set(err, -ENOENT, "gnuplot is not installed: apt-get install gnuplot-nox");
    }
    return status == 0 && written ? 0 : err_set(err, -EIO, "gnuplot failed on %s", path);
}

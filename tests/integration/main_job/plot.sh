#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Draws a run with fixed caps and one with Arbiter side by side: plot.sh FOLDER OUT.svg
# FOLDER has static/ and arbiter/ with users-a.csv, users-b.csv, caps.csv, and target-a, target-b (ms).
set -eu
folder=$1 out=$2
target_a=$(cat "$folder/target-a") target_b=$(cat "$folder/target-b")
gnuplot <<END
set terminal svg size 1100,760 font "sans,12" background "white"
set output "$out"
set datafile separator ","
set multiplot layout 3,2 columnsfirst margins 0.07,0.98,0.07,0.92 spacing 0.09,0.06
a = "#7a1fa2"
b = "#00897b"
unset key
set grid
set xrange [0:*]
set label 1 "service a, weight 4" at screen 0.36,0.98 textcolor rgb a
set label 2 "service b, weight 1" at screen 0.55,0.98 textcolor rgb b
do for [run in "static arbiter"] {
    folder = "$folder/" . run
    set title (run eq "static" ? "fixed caps" : "with Arbiter")
    set ylabel "load, requests/s"
    set yrange [0:*]
    unset logscale y
    unset xlabel
    plot folder."/users-a.csv" using 1:2 with steps lw 2 lc rgb a, \
         folder."/users-b.csv" using 1:2 with steps lw 2 lc rgb b
    unset label
    unset title
    set ylabel "p95 at the users, ms"
    set logscale y
    set yrange [10:10000]
    set label 3 "target of a" at graph 0.99,first $target_a right offset 0,0.5 textcolor rgb a
    set label 4 "target of b" at graph 0.99,first $target_b right offset 0,0.5 textcolor rgb b
    plot folder."/users-a.csv" using 1:7 with linespoints lw 2 pt 7 ps 0.4 lc rgb a, \
         folder."/users-b.csv" using 1:7 with linespoints lw 2 pt 7 ps 0.4 lc rgb b, \
         $target_a with lines dt 2 lc rgb a, $target_b with lines dt 2 lc rgb b
    unset label
    unset logscale y
    set ylabel "cap, % of a CPU"
    set yrange [0:65]
    set xlabel "s"
    set label 5 "declared capacity" at graph 0.99,first 60 right offset 0,0.5
    plot folder."/caps.csv" using 1:(\$2+\$3) with steps lw 4 lc rgb a, \
         folder."/caps.csv" using 1:4 with steps lw 2 lc rgb b, 60 with lines dt 2 lc "black"
    unset label
}
unset multiplot
END

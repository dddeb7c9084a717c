(* What OCaml programs do: channels, Unix, Marshal, finalised buffers. *)
let () =
  let out = open_out_bin "made" in
  Marshal.to_channel out (Array.init 10000 (fun n -> (n, string_of_int n))) [];
  close_out out;
  let from = open_in_bin "made" in
  let (back : (int * string) array) = Marshal.from_channel from in
  close_in from;
  Printf.printf "%d %s\n%!" (Array.length back) (snd back.(9999));
  let names = Sys.readdir "dir" in
  Array.sort compare names;
  Array.iter print_endline names;
  let input, output = Unix.open_process "sort -r" in
  output_string output "a\nc\nb\n"; close_out output;
  (try while true do print_endline (input_line input) done with End_of_file -> ());
  ignore (Unix.close_process (input, output));
  let fd = Unix.openfile "big.bin" [Unix.O_RDWR] 0 in
  let map = Bigarray.array1_of_genarray (Unix.map_file fd Bigarray.char Bigarray.c_layout true [| 100000 |]) in
  map.{5000} <- 'Z';
  Unix.close fd;
  (match Unix.fork () with
   | 0 -> Unix._exit 3
   | pid -> (match Unix.waitpid [] pid with _, Unix.WEXITED code -> Printf.printf "child %d\n" code | _ -> ()));
  (try ignore (open_in "nowhere") with Sys_error text -> print_endline text);
  Sys.set_signal Sys.sigusr1 (Sys.Signal_handle (fun _ -> print_endline "signal"));
  Unix.kill (Unix.getpid ()) Sys.sigusr1;
  Sys.rename "made" "moved"; Sys.remove "moved";
  let rec burst n = if n > 0 then (ignore (Bytes.create 10000); burst (n - 1)) in
  burst 10000;
  exit 4
